import { useState } from "preact/hooks";

import { both } from "../filter/conditions.ts";
import { filter, setFilter } from "../filter/state.ts";
import { start } from "../jobs/state.ts";
import { Strip } from "../picture/Strip.tsx";
import { refusal } from "../state/access.ts";
import { clearSelection, selected, selection, selectionFilter } from "../state/selection.ts";
import { collection } from "../state/service.ts";
import { enter } from "../state/route.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import { toast, toastError } from "../ui/feedback.tsx";
import css from "./map.module.css";
import { TagDialog } from "./TagDialog.tsx";

const SHOWN = 60;
const FEW_FOR_CLUSTERS = 8;
const MOST_CLUSTERS = 10;

/** The selected images, and what to do with them. */
export function Tray() {
  const [tagging, setTagging] = useState(false);
  const count = selected.value;
  if (count === 0) return null;
  const ids = [...selection.value].slice(0, SHOWN);
  return (
    <section class={css.tray} aria-label="Selected on the map">
      <header>
        <h2 class="numbers">{count.toLocaleString()} selected</h2>
        <div class={css.trayActions}>
          <Button icon="filter" onClick={() => setFilter(both(filter.value, selectionFilter()))}>
            Show only these
          </Button>
          <Button icon="tag" refused={refusal("write")} onClick={() => setTagging(true)}>
            Tag
          </Button>
          <Button icon="clusters" refused={refusal("write") ?? tooFew(count)} onClick={() => void cluster(count)}>
            Cluster these
          </Button>
          <Button icon="compare" refused={refusal("write") ?? tooFew(count)} onClick={() => void compare()}>
            Compare with the rest
          </Button>
        </div>
        <IconButton icon="close" label="Select nothing (Esc)" onClick={clearSelection} />
      </header>
      <div class={css.trayStrip}>
        <Strip label="Selected images" ids={ids} />
      </div>
      {count > SHOWN && <p class={css.note}>The first {SHOWN} are shown; what you do is done to all.</p>}
      {tagging && <TagDialog onClose={() => setTagging(false)} />}
    </section>
  );
}

function tooFew(count: number): string | undefined {
  return count < FEW_FOR_CLUSTERS ? `Select at least ${FEW_FOR_CLUSTERS} images.` : undefined;
}

async function cluster(count: number): Promise<void> {
  const most = Math.min(MOST_CLUSTERS, Math.floor(count / 3));
  try {
    await start(() =>
      collection.peek()!.cluster({
        name: "selection", algorithm: "kmeans", parameters: { k: [2, most] }, filter: selectionFilter(), follow: false,
      }),
    );
    toast(`The selected images are being clustered; between 2 and ${most} clusters, as fits best.`);
  } catch (error) {
    toastError(error);
  }
}

async function compare(): Promise<void> {
  const name = "selection";
  try {
    await start(() =>
      collection.peek()!.compare({
        name,
        first: { title: "the rest", filter: { must_not: [{ has_id: [...selection.peek()] }] } },
        second: { title: "selected", filter: selectionFilter() },
      }),
    );
    enter("compare", { run: name });
  } catch (error) {
    toastError(error);
  }
}
