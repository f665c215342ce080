import type { Map as HeatMapData } from "lookalike-client";
import type { ComponentChildren } from "preact";

import { route } from "../state/route.ts";
import { HeatMap } from "../ui/HeatMap.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import { openImage } from "./PicturePanel.tsx";
import css from "./strip.module.css";

/** A few pictures in a row, each of which opens; `map` lays a heat map over one, `caption` says something below. */
export function Strip({
  label,
  ids,
  map,
  caption,
  large = false,
  collection = route.value.collection!,
}: {
  label: string;
  ids: readonly string[];
  map?: (id: string) => HeatMapData | null | undefined;
  caption?: (id: string) => ComponentChildren;
  large?: boolean;
  collection?: string;
}) {
  const here = collection === route.value.collection;
  return (
    <ul class={`${css.strip} ${large ? css.large : ""}`} aria-label={label}>
      {ids.map((id) => {
        const over = map?.(id);
        const inside = (
          <>
            <Thumb collection={collection} id={id} alt={here ? "" : id} />
            {over && <HeatMap map={over} />}
          </>
        );
        return (
          <li key={id}>
            {here ? (
              <button type="button" class={css.picture} aria-label={id} title={id} onClick={() => openImage(id)}>
                {inside}
              </button>
            ) : (
              <span class={css.picture} title={id}>
                {inside}
              </span>
            )}
            {caption && <div class={css.caption}>{caption(id)}</div>}
          </li>
        );
      })}
    </ul>
  );
}
