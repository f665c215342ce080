import { useKeys } from "../keys/registry.ts";
import { clearSelection, selected } from "../state/selection.ts";
import { IconButton } from "../ui/controls.tsx";
import css from "./map.module.css";
import type { Stage, Tool } from "./stage.ts";
import { thumbnails } from "./state.ts";

const STEP = 90; // pixels that an arrow moves the map by
const FACTOR = 1.6;

/** The tools of the map, and its keys. */
export function Tools({ stage, onMake, onOpenMiddle }: { stage: Stage; onMake: () => void; onOpenMiddle: () => void }) {
  const tool = stage.tool.value;
  const use = (next: Tool) => () => void (stage.tool.value = tool === next ? "move" : next);
  const pan = (dx: number, dy: number) => () => stage.pan(dx, dy);
  const show = () => void (thumbnails.value = !thumbnails.value);
  useKeys("Map", [
    { keys: "ArrowLeft", does: "Move left", run: pan(STEP, 0) },
    { keys: "ArrowRight", does: "Move right", run: pan(-STEP, 0) },
    { keys: "ArrowUp", does: "Move up", run: pan(0, STEP) },
    { keys: "ArrowDown", does: "Move down", run: pan(0, -STEP) },
    { keys: "+", does: "Zoom in", run: () => stage.zoom(FACTOR) },
    { keys: "=", does: "Zoom in", run: () => stage.zoom(FACTOR) },
    { keys: "-", does: "Zoom out", run: () => stage.zoom(1 / FACTOR) },
    { keys: "0", does: "Show all of the map", run: () => stage.fit() },
    { keys: "l", does: "Lasso (or drag with Shift)", run: use("lasso") },
    { keys: "b", does: "Box", run: use("box") },
    { keys: "t", does: "Thumbnails on or off", run: show },
    { keys: "o", does: "Open the image in the middle", run: onOpenMiddle },
    { keys: "n", does: "Make a map", run: onMake },
    {
      keys: "Escape",
      does: "Put the lasso away, then select nothing",
      run: () => {
        if (tool !== "move") stage.tool.value = "move";
        else if (selected.peek() > 0) clearSelection();
        else return false;
        return undefined;
      },
    },
  ]);
  return (
    <div class={css.tools} role="toolbar" aria-label="Map tools">
      <IconButton icon="add" label="Zoom in (+)" onClick={() => stage.zoom(FACTOR)} />
      <IconButton icon="minus" label="Zoom out (−)" onClick={() => stage.zoom(1 / FACTOR)} />
      <IconButton icon="fit" label="Show all of it (0)" onClick={() => stage.fit()} />
      <hr />
      <IconButton icon="lasso" label="Lasso (l)" pressed={tool === "lasso"} onClick={use("lasso")} />
      <IconButton icon="box" label="Box (b)" pressed={tool === "box"} onClick={use("box")} />
      <hr />
      <IconButton icon="image" label="Thumbnails (t)" pressed={thumbnails.value} onClick={show} />
    </div>
  );
}
