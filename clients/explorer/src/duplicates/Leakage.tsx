import type { Duplicates } from "lookalike-client";
import { useState } from "preact/hooks";

import { fieldName } from "../filter/conditions.ts";
import { openImage } from "../picture/PicturePanel.tsx";
import { useResource } from "../state/resource.ts";
import { collection, described } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { Button, Chip, Select } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton } from "../ui/feedback.tsx";
import { Icon } from "../ui/Icon.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import page from "../ui/room.module.css";
import css from "./duplicates.module.css";
import { why } from "./words.ts";

const STEP = 24;
const USUAL = ["metadata.split", "metadata.subset", "metadata.fold", "metadata.patient"];

/** Pictures that are in two splits, or of two patients: what makes a measured score too good. */
export function Leakage({ run }: { run: Duplicates }) {
  const fields = Object.keys(described.value?.fields ?? {}).sort();
  const asked = route.value.params["across"];
  const field = fields.find((name) => name === asked) ?? USUAL.find((name) => fields.includes(name)) ?? fields[0];
  const [limit, setLimit] = useState(STEP);
  const leakage = useResource(
    (signal) => (field === undefined ? undefined : collection.value?.leakage({ field, limit }, run.name, { signal })),
    [run.name, run.created_at, field, limit],
  );
  if (field === undefined) {
    return (
      <Empty icon="duplicates" title="Nothing to compare by">
        The images have no metadata. Index them with a field such as “split”, and pictures shared between train and test
        show up here.
      </Empty>
    );
  }
  const found = leakage.value;
  return (
    <>
      <div class={css.tools}>
        <label class={css.inline}>
          <span>Between different values of</span>
          <Select value={field} options={fields.map((name) => [name, fieldName(name)] as const)} onChange={(name) => go({ across: name })} />
        </label>
      </div>
      {leakage.error !== undefined && <Problem error={leakage.error} onRetry={() => leakage.reload()} />}
      {!found && leakage.loading && <Skeleton height="240px" />}
      {found && found.total === 0 && (
        <p class={css.clean}>
          <Icon name="check" /> No picture is shared between different values of {fieldName(field)}.
        </p>
      )}
      {found && found.total > 0 && (
        <>
          <ul class={css.between}>
            {found.between.slice(0, 12).map((one) => (
              <li key={`${one.first} ${one.second}`}>
                <strong>
                  {one.first} and {one.second}
                </strong>
                <span class="numbers">
                  {one.pairs.toLocaleString()} {one.pairs === 1 ? "pair" : "pairs"}: {one.images[0]?.toLocaleString()} images of {one.first},{" "}
                  {one.images[1]?.toLocaleString()} of {one.second}
                </span>
              </li>
            ))}
          </ul>
          <p class={page.lead} style={{ marginTop: "var(--s4)" }}>
            {found.total.toLocaleString()} pairs of one picture have different values. If these are splits, scores on
            the test set come out too good: remove one of each pair, or split anew.
          </p>
          <ul class={css.pairs} aria-label="Pairs">
            {found.pairs.map((pair) => (
              <li key={`${pair.first}\n${pair.second}`}>
                <Side id={pair.first} value={pair.first_value} />
                <Side id={pair.second} value={pair.second_value} />
                <span class="muted small">{why(pair)}</span>
              </li>
            ))}
          </ul>
          {found.pairs.length < found.total && (
            <p class={css.moreImages}>
              <Button onClick={() => setLimit(limit + STEP)}>Show more</Button>
            </p>
          )}
        </>
      )}
      {found && found.without > 0 && (
        <p class={page.footnote}>{found.without.toLocaleString()} images with duplicates have no value, and are left out.</p>
      )}
    </>
  );
}

function Side({ id, value }: { id: string; value: string }) {
  return (
    <button type="button" class={css.side} aria-label={`${id}, ${value}`} title={id} onClick={() => openImage(id)}>
      <span>
        <Thumb collection={route.value.collection!} id={id} />
      </span>
      <Chip tone="warn">{value}</Chip>
    </button>
  );
}
