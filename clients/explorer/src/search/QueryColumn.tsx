import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { openImage } from "../picture/PicturePanel.tsx";
import { enter, go, route } from "../state/route.ts";
import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { Button, Chip, IconButton } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { HeatMap } from "../ui/HeatMap.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import { Ask } from "./Ask.tsx";
import type { Size } from "./crop.ts";
import { Cropper } from "./Cropper.tsx";
import { Options } from "./Options.tsx";
import { sizeOf } from "./picture.ts";
import { marked, newSearch, type Query, regionText } from "./query.ts";
import { uploaded } from "./run.ts";
import css from "./search.module.css";
import { pointed } from "./state.ts";

const LEAST = 16; // pixels of a part, as the service has it
const THUMBNAIL = 192;

/** What is searched by, and how. */
export function QueryColumn({ query }: { query: Query }) {
  const { source } = query;
  return (
    <aside class={css.column} aria-label="The search">
      <div class={css.columnTitle}>
        <h2>Looking for</h2>
        <IconButton icon="close" label="Start anew" onClick={() => enter("search", {})} />
      </div>
      {source.kind === "image" && <IndexedPicture id={source.id} query={query} />}
      {source.kind === "upload" && <SentPicture key={source.token} token={source.token} query={query} />}
      {source.kind === "text" && <p class={css.words}>“{source.text}”</p>}
      <Marks query={query} as="like" title={source.kind === "examples" ? "Images like these" : "More like"} />
      <Marks query={query} as="unlike" title="Less like" />
      <Ask />
      <Options query={query} />
    </aside>
  );
}

function IndexedPicture({ id, query }: { id: string; query: Query }) {
  const image = useResource((signal) => collection.value?.image(id, { signal }), [id]);
  const { value } = image;
  if (image.error) return <Problem error={image.error} onRetry={() => image.reload()} />;
  if (!value) return <Skeleton height="200px" />;
  const least = Math.ceil((LEAST * Math.max(value.width, value.height, THUMBNAIL)) / THUMBNAIL);
  return (
    <Croppable query={query} size={value} least={least} name={id} onName={() => openImage(id)}>
      <Thumb collection={route.value.collection!} id={id} alt={id} fit="contain" />
    </Croppable>
  );
}

interface Sent {
  url: string;
  name: string;
  size: Size | undefined;
}

function SentPicture({ token, query }: { token: string; query: Query }) {
  const [sent, setSent] = useState<Sent>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    let url: string | undefined;
    let gone = false;
    void (async () => {
      try {
        const { blob, name } = await uploaded(token);
        const size = await sizeOf(blob);
        if (gone) return;
        url = URL.createObjectURL(blob);
        setSent({ url, name, size });
      } catch (failure) {
        setError(failure);
      }
    })();
    return () => {
      gone = true;
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [token]);
  if (error) return <Problem error={error} />;
  if (!sent) return <Skeleton height="200px" />;
  if (!sent.size) return <p class="muted small">{sent.name} is of a format that this browser cannot show.</p>;
  return (
    <Croppable query={query} size={sent.size} least={LEAST} name={sent.name || "your picture"}>
      <img src={sent.url} alt={sent.name || "The picture that is searched by"} class={css.sent} draggable={false} />
    </Croppable>
  );
}

/** The picture with the part that is searched by, and the map of why it is like the hit that is pointed at. */
function Croppable({
  query,
  size,
  least,
  name,
  onName,
  children,
}: {
  query: Query;
  size: Size;
  least: number;
  name: string;
  onName?: () => void;
  children: ComponentChildren;
}) {
  const map = pointed.value?.why.query_map;
  const { region } = query;
  const half = {
    left: size.width / 4,
    top: size.height / 4,
    width: size.width / 2,
    height: size.height / 2,
  };
  const set = (next: typeof region) => go({ region: next && regionText(next) });
  return (
    <figure class={css.figure}>
      <Cropper size={size} least={least} region={region} onChange={set}>
        {children}
        {map && <HeatMap map={map} fit="contain" />}
      </Cropper>
      <figcaption>
        {onName ? (
          <button type="button" class={css.name} onClick={onName} title={name}>
            {name}
          </button>
        ) : (
          <span class={css.name} title={name}>
            {name}
          </span>
        )}
        {region ? (
          <Chip tone="accent" onRemove={() => set(undefined)} removeLabel="Search by the whole picture">
            part {Math.round(region.width)} × {Math.round(region.height)}
          </Chip>
        ) : (
          <Button
            look="quiet"
            icon="crop"
            class={css.cropButton}
            title="Search by a part: drag on the picture, or begin with its middle"
            refused={Math.min(half.width, half.height) < least ? "The picture is too small to search by a part." : undefined}
            onClick={() => set(half)}
          >
            Part
          </Button>
        )}
      </figcaption>
    </figure>
  );
}

function Marks({ query, as, title }: { query: Query; as: "like" | "unlike"; title: string }) {
  const ids = query[as];
  if (ids.length === 0) return null;
  const name = route.value.collection!;
  const last = query.source.kind === "examples" && as === "like" && ids.length === 1;
  return (
    <section class={css.marks}>
      <h3>{title}</h3>
      <ul>
        {ids.map((id) => (
          <li key={id} class={as === "unlike" ? css.less : css.moreLike}>
            <Thumb collection={name} id={id} alt={id} />
            <button
              type="button"
              aria-label={`No longer: ${id}`}
              title={`${id}: take away`}
              onClick={() => (last ? enter("search", newSearchNothing) : go(marked(query, id, as)))}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

const newSearchNothing = newSearch({ kind: "examples" });
