import { Button } from "../ui/controls.tsx";
import { save } from "../ui/save.ts";
import page from "../ui/room.module.css";
import css from "./indexing.module.css";
import { csv } from "./csv.ts";
import type { Failure } from "./picked.ts";
import { counted } from "./words.ts";

const SHOWN = 100;

/** What could not be indexed, each with its reason. */
export function Failures({ failures }: { failures: readonly Failure[] }) {
  const table = () => csv([["path", "code", "detail"], ...failures.map((one) => [one.path, one.code, one.detail])]);
  return (
    <section class={page.section} aria-label="Failures">
      <div class={css.failuresHead}>
        <h2>{counted(failures.length, "file")} could not be indexed</h2>
        <Button icon="download" onClick={() => save("failures.csv", "text/csv", table())}>
          Save as CSV
        </Button>
      </div>
      <ul class={css.failures}>
        {failures.slice(0, SHOWN).map((one, i) => (
          <li key={`${one.path} ${i}`}>
            <strong>{one.path}</strong>
            <span>{one.detail}</span>
          </li>
        ))}
      </ul>
      {failures.length > SHOWN && <p class={page.footnote}>The first {SHOWN}; all are in the file.</p>}
    </section>
  );
}
