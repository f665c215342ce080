import type { Comparison } from "lookalike-client";
import { useState } from "preact/hooks";

import { Strip } from "../picture/Strip.tsx";
import { refusal } from "../state/access.ts";
import { collection } from "../state/service.ts";
import { go } from "../state/route.ts";
import { Button, Select } from "../ui/controls.tsx";
import { toast, toastError } from "../ui/feedback.tsx";
import { save } from "../ui/save.ts";
import page from "../ui/room.module.css";
import { Clusters } from "./Clusters.tsx";
import css from "./compare.module.css";
import { Counterparts } from "./Counterparts.tsx";
import { Figures } from "./Figures.tsx";
import { Maps } from "./Maps.tsx";
import { verdict } from "./words.ts";

/** How two sets differ: the verdict, by what and where, and the figures behind it. */
export function Report({ comparison, all, make }: { comparison: Comparison; all: readonly Comparison[]; make: () => void }) {
  const { first, second } = comparison;
  const said = verdict(comparison);
  const [fetching, setFetching] = useState(false);
  const download = async () => {
    setFetching(true);
    toast("Writing the report, with its pictures …");
    try {
      save(`${comparison.name}.html`, "text/html", await collection.peek()!.comparisonPage(comparison.name));
    } catch (error) {
      toastError(error);
    }
    setFetching(false);
  };
  return (
    <>
      <header class={page.head}>
        <div>
          <div class={css.title}>
            <h1>
              {first.title} and {second.title}
            </h1>
            {all.length > 1 && (
              <Select
                aria-label="Comparison"
                class={css.runs}
                value={comparison.name}
                options={all.map(({ name }) => [name, name] as const)}
                onChange={(name) => go({ run: name })}
              />
            )}
          </div>
          <p class="numbers">
            {first.points.toLocaleString()} images against {second.points.toLocaleString()}
            {second.collection !== first.collection && ` of ${second.collection}`}
          </p>
        </div>
        <div class={page.actions}>
          <Button icon="download" refused={fetching ? "It is being written." : undefined} onClick={() => void download()}>
            Save the report
          </Button>
          <Button look="primary" icon="add" refused={refusal("write")} onClick={make}>
            New comparison
          </Button>
        </div>
      </header>
      <section class={`${css.verdict} ${said.differ ? "" : css.alike}`} aria-label="Verdict">
        <h2>{said.title}</h2>
        <p>{said.text}</p>
      </section>
      <section class={css.typical} aria-label="Least like the other set">
        {[first, second].map((side, i) => (
          <div key={i}>
            <h3>
              Of {side.title}, least like {(i === 0 ? second : first).title}
            </h3>
            <Strip label={`Typical of ${side.title}`} ids={side.typical} collection={side.collection} />
          </div>
        ))}
      </section>
      <Figures comparison={comparison} />
      <Clusters comparison={comparison} />
      <Maps comparison={comparison} differ={said.differ} />
      <Counterparts comparison={comparison} />
    </>
  );
}
