import type { Hit, SearchResult } from "lookalike-client";
import { useEffect, useRef } from "preact/hooks";

import { valueName } from "../filter/state.ts";
import { useKeys } from "../keys/registry.ts";
import { focusedImage, Grid, type Tile } from "../picture/Grid.tsx";
import { openImage } from "../picture/PicturePanel.tsx";
import { described } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { Chip, IconButton } from "../ui/controls.tsx";
import { toastError } from "../ui/feedback.tsx";
import { HeatMap } from "../ui/HeatMap.tsx";
import { categoricalCss } from "../ui/palette.ts";
import { meaning, VERDICTS } from "./meaning.ts";
import { marked, type Query } from "./query.ts";
import css from "./search.module.css";
import { pointed, why } from "./state.ts";

const REST_MS = 250; // a pointer that only passes asks for nothing

/** The hits, each with what its score means; the one that is pointed at shows why it is one. */
export function Hits({ result, query }: { result: SearchResult; query: Query }) {
  const point = usePointing();
  const mark = (id: string, as: "like" | "unlike") => go(marked(query, id, as));
  const withOne = (run: (id: string) => void) => () => {
    const id = focusedImage() ?? route.peek().params["image"];
    if (id === undefined) return false;
    run(id);
    return undefined;
  };
  useKeys("Hits", [
    { keys: "+", does: "More like this", run: withOne((id) => mark(id, "like")) },
    { keys: "-", does: "Less like this", run: withOne((id) => mark(id, "unlike")) },
    { keys: "w", does: "Why it is a hit", run: withOne(openImage) },
  ]);
  const tiles = result.hits.map((hit): Tile => {
    const shown = pointed.value?.id === hit.id ? pointed.value.why.map : undefined;
    return {
      id: hit.id,
      says: `score ${hit.score.toFixed(3)}${hit.verdict ? `, ${VERDICTS[hit.verdict].name}` : ""}`,
      caption: <Caption hit={hit} groupBy={query.groupBy} />,
      overlay: shown && <HeatMap map={shown} />,
      mark: query.like.includes(hit.id) ? "good" : query.unlike.includes(hit.id) ? "bad" : undefined,
      actions: (
        <>
          <IconButton icon="add" label="More like this (+)" tabIndex={-1} onClick={() => mark(hit.id, "like")} />
          <IconButton icon="minus" label="Less like this (−)" tabIndex={-1} onClick={() => mark(hit.id, "unlike")} />
        </>
      ),
    };
  });
  return <Grid label="Similar images" tiles={tiles} onPoint={point} />;
}

/** Tells `pointed` why, once the pointer or the focus has come to rest. */
function usePointing(): (id: string | undefined) => void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const latest = useRef<string | undefined>(undefined);
  const point = (id: string | undefined) => {
    clearTimeout(timer.current);
    latest.current = id;
    if (id === undefined) pointed.value = undefined;
    else {
      timer.current = setTimeout(() => {
        why(id).then((found) => {
          if (found && latest.current === id) pointed.value = { id, why: found };
        }, toastError);
      }, REST_MS);
    }
  };
  useEffect(() => () => point(undefined), []);
  return point;
}

function Caption({ hit, groupBy }: { hit: Hit; groupBy: string | undefined }) {
  const verdict = hit.verdict ? VERDICTS[hit.verdict] : undefined;
  const [run, label] = Object.entries(hit.clusters)[0] ?? [];
  const group = hit.group ?? undefined;
  const said = [...new Set(keywords(hit))].filter((word) => word !== group).slice(0, 2);
  return (
    <>
      <div class={css.score} title={meaning(hit) ?? "Cosine; calibrate the collection to learn what it means."}>
        <strong class="numbers">{hit.score.toFixed(3)}</strong>
        {verdict?.tone ? (
          <Chip tone={verdict.tone}>{verdict.name}</Chip>
        ) : (
          verdict && <span class="muted">{verdict.name}</span>
        )}
      </div>
      <div class={css.facts}>
        {group !== undefined && <em>{valueName(groupBy ?? "", group)}</em>}
        {said.length > 0 && <span>{said.join(" · ")}</span>}
        {run !== undefined && label !== undefined && (
          <span class={css.cluster} title={`${run}: ${valueName(`clusters.${run}`, label)}`}>
            <i style={{ background: categoricalCss(label) }} />
            {valueName(`clusters.${run}`, label)}
          </span>
        )}
      </div>
    </>
  );
}

/** What its indexed fields say, in short. */
function keywords(hit: Hit): string[] {
  return Object.keys(described.value?.indexes ?? {})
    .map((field) => hit.metadata[field.replace(/^metadata\./, "")])
    .filter((value) => value !== undefined && value !== null && typeof value !== "object")
    .map(String);
}
