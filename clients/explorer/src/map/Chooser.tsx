import { refusal } from "../state/access.ts";
import { go } from "../state/route.ts";
import { collection, described } from "../state/service.ts";
import { Button, Chip, IconButton, Segmented, Select } from "../ui/controls.tsx";
import { toastError } from "../ui/feedback.tsx";
import { MenuItem, Popover } from "../ui/Popover.tsx";
import css from "./map.module.css";
import { AXES } from "./points.ts";
import { axes, colour, colours, projection, projections } from "./state.ts";
import { methodTitle, trust, verdict } from "./words.ts";

/** Which map it is, what it is coloured by, and how far to trust it. */
export function Chooser({
  onNew,
  count,
  matching,
}: {
  onNew: () => void;
  /** How many images are on the map. */
  count: number;
  /** How many of them the shared filter matches; undefined without one. */
  matching: number | undefined;
}) {
  const shown = projection.value;
  if (!shown) return null;
  const all = projections.value ?? [];
  const name = (one: typeof shown) => (one.name === one.method ? methodTitle(one.method) : `${one.name} (${methodTitle(one.method)})`);
  const asked = colour.value ?? "";
  const unplaced = Math.max(0, (described.value?.points ?? 0) - count);
  const known = colours.value.some(([value]) => value === asked);
  return (
    <section class={css.chooser} aria-label="What the map shows">
      <div class={css.line}>
        <Select
          aria-label="Map"
          options={all.map((one) => [one.name, name(one)] as const)}
          value={shown.name}
          onChange={(value) => go({ projection: value, at: undefined, axes: undefined })}
        />
        <Trust />
        <IconButton icon="add" label="Make a map (n)" refused={refusal("write")} onClick={onNew} />
      </div>
      <label class={css.colour}>
        <span>Colour</span>
        <Select
          options={known ? colours.value : [...colours.value, [asked, asked] as const]}
          value={asked}
          onChange={(value) => go({ color: value, only: undefined })}
        />
      </label>
      {shown.dimensions === 3 && (
        <Segmented
          label="Axes"
          options={AXES.map((one) => [one, one.split("").join(" × ")] as const)}
          value={axes.value}
          onChange={(value) => go({ axes: value === "xy" ? undefined : value, at: undefined })}
        />
      )}
      {matching !== undefined && (
        <p class={css.note} role="status">
          {matching.toLocaleString()} of {count.toLocaleString()} images match the filter.
        </p>
      )}
      {unplaced > 0 && (
        <p class={css.note}>
          {unplaced.toLocaleString()} of the images are not on this map
          {shown.filter ? ": it was made of those that match a filter." : "."}
        </p>
      )}
    </section>
  );
}

function Trust() {
  const shown = projection.value!;
  const said = verdict(shown);
  return (
    <Popover
      label="How far to trust this map"
      align="start"
      trigger={(props) => (
        <Button look="quiet" icon="help" class={css.trustButton} {...props}>
          <span class="hidden">How far to trust this map</span>
        </Button>
      )}
    >
      {(close) => (
        <div class={css.trust}>
          <h2>What this map can be trusted with</h2>
          {said && <Chip tone={said.tone}>{said.text}</Chip>}
          <ul>
            {trust(shown).map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
          <p class="muted small">
            Made of {shown.points.toLocaleString()} images in {shown.seconds.toFixed(1)} s, {new Date(shown.created_at).toLocaleString()}.
          </p>
          <MenuItem
            onClick={() => {
              close();
              go({ color: "distortion", only: undefined });
            }}
          >
            Colour by distortion, to see where
          </MenuItem>
          {refusal("write") === undefined && (
            <MenuItem
              onClick={() => {
                close();
                void drop(shown.name);
              }}
            >
              Delete this map; the images stay
            </MenuItem>
          )}
        </div>
      )}
    </Popover>
  );
}

async function drop(name: string): Promise<void> {
  try {
    await collection.peek()!.deleteProjection(name);
    projections.reload();
    go({ projection: undefined, at: undefined });
  } catch (error) {
    toastError(error);
  }
}
