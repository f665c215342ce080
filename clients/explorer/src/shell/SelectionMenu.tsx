import { both } from "../filter/conditions.ts";
import { filter, setFilter } from "../filter/state.ts";
import { enter, route } from "../state/route.ts";
import { clearSelection, selected, selection, selectionFilter } from "../state/selection.ts";
import { Button } from "../ui/controls.tsx";
import { MenuItem, Popover } from "../ui/Popover.tsx";
import { save } from "../ui/save.ts";
import css from "./shell.module.css";

const EXAMPLES = 32; // as many as a search takes

/** How many images are selected, and what can be done with them. */
export function SelectionMenu() {
  const count = selected.value;
  if (count === 0) return null;
  const ids = [...selection.value];
  const name = `${route.value.collection}-selection`;
  return (
    <Popover
      label="Selected images"
      align="end"
      trigger={(props) => (
        <Button icon="select" look="quiet" class={css.selected} {...props}>
          <span class="numbers">{count.toLocaleString()}</span> selected
        </Button>
      )}
    >
      {(close) => {
        const item = (label: string, run: () => void) => (
          <MenuItem
            onClick={() => {
              close();
              run();
            }}
          >
            {label}
          </MenuItem>
        );
        return (
          <>
            {item("Show only these", () => setFilter(both(filter.value, selectionFilter())))}
            {item(
              count > EXAMPLES ? `More like the first ${EXAMPLES}` : "More like these",
              () => enter("search", { like: JSON.stringify(ids.slice(0, EXAMPLES)) }),
            )}
            {item("Save ids as CSV", () => save(`${name}.csv`, "text/csv", csv(ids)))}
            {item("Save ids as JSON", () => save(`${name}.json`, "application/json", JSON.stringify(ids, null, 1)))}
            <hr class={css.menuLine} />
            {item("Select nothing", clearSelection)}
          </>
        );
      }}
    </Popover>
  );
}

function csv(ids: readonly string[]): string {
  return ["id", ...ids.map((id) => (/[",\r\n]/.test(id) ? `"${id.replaceAll('"', '""')}"` : id))].join("\n") + "\n";
}
