import type { Hit, HitExplanation, Map as HeatMapData } from "lookalike-client";
import { useEffect, useState } from "preact/hooks";

import { meaning, VERDICTS } from "../search/meaning.ts";
import { marked, type Query } from "../search/query.ts";
import { uploaded } from "../search/run.ts";
import { why } from "../search/state.ts";
import { useResource } from "../state/resource.ts";
import { go, route } from "../state/route.ts";
import { Button, Chip, IconButton, Slider } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { HeatMap } from "../ui/HeatMap.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import css from "./picture.module.css";

/** What makes an image a hit: the maps on the query and on it, its score and what that means. */
export function HitSections({ hit, query }: { hit: Hit; query: Query }) {
  const [judged, setJudged] = useState(false);
  const [opacity, setOpacity] = useState(0.9);
  const found = useResource(() => why(hit.id, judged), [hit.id, judged, JSON.stringify(query)]);
  const verdict = hit.verdict ? VERDICTS[hit.verdict] : undefined;
  return (
    <>
      <Pair hit={hit} query={query} why={found.value} opacity={opacity} />
      {found.error ? <Problem error={found.error} onRetry={() => found.reload()} /> : null}
      {found.value?.error && <p class="muted small">{found.value.error.detail}</p>}
      <div class={css.scoreLine}>
        <strong class="numbers">{hit.score.toFixed(3)}</strong>
        {verdict && <Chip tone={verdict.tone}>{verdict.name}</Chip>}
        <span />
        <Marks id={hit.id} query={query} />
      </div>
      {verdict && <p class="muted small">{meaning(hit) ?? verdict.says}</p>}
      <div class={css.why}>
        <Slider
          label="Heat map: what makes them alike"
          text={`${Math.round(opacity * 100)} %`}
          value={opacity}
          min={0}
          max={1}
          step={0.05}
          onInput={setOpacity}
        />
        <Belief map={found.value?.map ?? undefined} judged={judged} loading={found.loading} onAsk={() => setJudged(true)} />
      </div>
    </>
  );
}

/** The query and the hit side by side. */
function Pair({
  hit,
  query,
  why: found,
  opacity,
}: {
  hit: Hit;
  query: Query;
  why: HitExplanation | undefined;
  opacity: number;
}) {
  const { source } = query;
  const name = route.value.collection!;
  const alone = source.kind === "text" || source.kind === "examples";
  return (
    <div class={alone ? css.picture : css.pair}>
      {!alone && (
        <figure>
          <div>
            {source.kind === "image" && <Thumb collection={name} id={source.id} alt="The query" fit="contain" />}
            {source.kind === "upload" && <SentThumb token={source.token} />}
            {found?.query_map && <HeatMap map={found.query_map} fit="contain" opacity={opacity} />}
          </div>
          <figcaption>query</figcaption>
        </figure>
      )}
      <figure>
        <div>
          <Thumb collection={name} id={hit.id} alt={hit.id} fit="contain" />
          {found?.map && <HeatMap map={found.map} fit="contain" opacity={opacity} />}
        </div>
        {!alone && <figcaption>hit</figcaption>}
      </figure>
    </div>
  );
}

function SentThumb({ token }: { token: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    let made: string | undefined;
    uploaded(token).then(
      ({ blob }) => setUrl((made = URL.createObjectURL(blob))),
      () => undefined, // the column on the left says so
    );
    return () => {
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [token]);
  return url === undefined ? null : <img src={url} alt="The query" class={css.sent} />;
}

function Marks({ id, query }: { id: string; query: Query }) {
  const mark = (as: "like" | "unlike") => () => go(marked(query, id, as));
  return (
    <>
      <IconButton icon="add" label="More like this (+)" pressed={query.like.includes(id)} onClick={mark("like")} />
      <IconButton icon="minus" label="Less like this (−)" pressed={query.unlike.includes(id)} onClick={mark("unlike")} />
    </>
  );
}

const BELIEF = {
  faithful: "Tested: these places matter. Blurring them changes the score more than blurring others does.",
  weak: "Tested: these places matter a little more than places chosen at random.",
  "no better than chance": "Tested: no better than chance. Do not read anything into this map.",
} as const;

/** Whether the map can be believed, which takes some time to find out. */
function Belief({
  map,
  judged,
  loading,
  onAsk,
}: {
  map: HeatMapData | undefined;
  judged: boolean;
  loading: boolean;
  onAsk: () => void;
}) {
  if (judged && loading) return <Skeleton height="20px" />;
  if (!map) return null;
  if (map.empty) return <p class="muted small">Nothing in this picture speaks for it in particular.</p>;
  if (map.faithfulness) return <p class="muted small">{BELIEF[map.faithfulness.verdict]}</p>;
  return (
    <Button look="quiet" icon="help" onClick={onAsk}>
      Can it be believed?
    </Button>
  );
}
