import { refusal } from "../state/access.ts";
import { collections, described } from "../state/service.ts";
import { enter, openCollection, route } from "../state/route.ts";
import { Skeleton } from "../ui/feedback.tsx";
import { Icon } from "../ui/Icon.tsx";
import { MenuItem, Popover } from "../ui/Popover.tsx";
import css from "./shell.module.css";

/** Which collection is looked at, and the others. */
export function CollectionSwitcher() {
  const all = collections.value;
  const name = route.value.collection;
  if (all === undefined && collections.loading) return <Skeleton width="140px" height="32px" />;
  return (
    <Popover
      label="Collections"
      trigger={(props) => (
        <button type="button" class={css.switch} aria-label={`Collection: ${name ?? "none"}. Change`} {...props}>
          <span>
            <strong>{name ?? "No collection"}</strong>
            {described.value && <small class="numbers">{described.value.points.toLocaleString()} images</small>}
          </span>
          <Icon name="chevronDown" size={16} />
        </button>
      )}
    >
      {(close) => (
        <>
          {all?.map((one) => (
            <MenuItem
              key={one.name}
              checked={one.name === name}
              detail={<span class="numbers">{one.points.toLocaleString()}</span>}
              onClick={() => {
                openCollection(one.name);
                close();
              }}
            >
              {one.name}
            </MenuItem>
          ))}
          {all?.length === 0 && <p class={css.menuNote}>There is no collection yet.</p>}
          <hr class={css.menuLine} />
          {refusal("write") === undefined ? (
            <MenuItem
              onClick={() => {
                enter("index", { new: "1" });
                close();
              }}
            >
              New collection …
            </MenuItem>
          ) : (
            <p class={css.menuNote}>{refusal("write")}</p>
          )}
        </>
      )}
    </Popover>
  );
}
