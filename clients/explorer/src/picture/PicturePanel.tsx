import type { IndexedImage } from "lookalike-client";

import { useKeys } from "../keys/registry.ts";
import { hits, query } from "../search/state.ts";
import { go, route } from "../state/route.ts";
import { useResource } from "../state/resource.ts";
import { selection, toggle } from "../state/selection.ts";
import { collection } from "../state/service.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import { ClusterChips } from "./ClusterChips.tsx";
import { DeleteImage } from "./DeleteImage.tsx";
import { Facts } from "./Facts.tsx";
import { findSimilar } from "./Grid.tsx";
import { HitSections } from "./HitSections.tsx";
import { Metadata } from "./Metadata.tsx";
import css from "./picture.module.css";
import { SimilarStrip } from "./SimilarStrip.tsx";

/** Open an image in the panel on the right; undefined closes it. */
export function openImage(id: string | undefined): void {
  go({ image: id });
}

/** The details of the image that is open. */
export function PicturePanel() {
  const id = route.value.params["image"];
  const name = route.value.collection;
  if (id === undefined || name === undefined || route.value.room === "index") return null;
  return <Panel key={`${name} ${id}`} id={id} name={name} />;
}

function Panel({ id, name }: { id: string; name: string }) {
  const image = useResource((signal) => collection.value?.image(id, { signal }), [id]);
  const hit = query.value && hits.value.get(id);
  const chosen = selection.value.has(id);
  useKeys("Image", [{ keys: "Escape", does: "Close the details", run: () => openImage(undefined) }]);
  return (
    <aside class={css.panel} aria-label="Image details">
      <header>
        <h2 title={id}>{id.split("/").at(-1)}</h2>
        <IconButton
          icon={chosen ? "check" : "select"}
          label={chosen ? "No longer select" : "Select"}
          pressed={chosen}
          onClick={() => toggle(id)}
        />
        <IconButton icon="close" label="Close the details (Esc)" onClick={() => openImage(undefined)} />
      </header>
      <div class={css.inside}>
        {hit && query.value ? (
          <HitSections hit={hit} query={query.value} />
        ) : (
          <div class={css.picture}>
            <Thumb collection={name} id={id} alt={id} fit="contain" />
          </div>
        )}
        <Button look="primary" icon="search" onClick={() => findSimilar(id)}>
          Find similar
        </Button>
        {image.error ? <Problem error={image.error} onRetry={() => image.reload()} /> : null}
        {image.value ? <Known image={image.value} onChange={(next) => image.set(next)} /> : <Skeleton height="160px" />}
        {!hit && <SimilarStrip id={id} />}
        {image.value && <DeleteImage id={id} />}
      </div>
    </aside>
  );
}

function Known({ image, onChange }: { image: IndexedImage; onChange: (image: IndexedImage) => void }) {
  return (
    <>
      <ClusterChips image={image} />
      <Metadata image={image} onChange={onChange} />
      <Facts image={image} />
    </>
  );
}
