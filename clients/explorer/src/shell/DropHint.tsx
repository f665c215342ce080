import { dropping } from "../search/taking.ts";
import { Icon } from "../ui/Icon.tsx";
import css from "./shell.module.css";

/** What letting go of a picture above the window will do. */
export function DropHint() {
  if (!dropping.value) return null;
  return (
    <div class={css.drop}>
      <div>
        <Icon name="image" size={40} />
        Drop to search
      </div>
    </div>
  );
}
