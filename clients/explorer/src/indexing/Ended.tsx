import { blank, request } from "../clusters/form.ts";
import { start } from "../jobs/state.ts";
import { client } from "../state/service.ts";
import { enter, openCollection } from "../state/route.ts";
import { Button } from "../ui/controls.tsx";
import { toastError } from "../ui/feedback.tsx";
import { Icon, type IconName } from "../ui/Icon.tsx";
import page from "../ui/room.module.css";
import { Failures } from "./Failures.tsx";
import css from "./indexing.module.css";
import type { Upload } from "./upload.ts";
import { counted, time } from "./words.ts";

/** What became of the pictures, and what to do with them. */
export function Ended({ upload, onAgain }: { upload: Upload; onAgain: () => void }) {
  const { created, updated, unchanged, failures, collection, seconds } = {
    created: upload.created.value,
    updated: upload.updated.value,
    unchanged: upload.unchanged.value,
    failures: upload.failures.value,
    collection: upload.collection,
    seconds: upload.seconds,
  };
  const stored = created + updated + unchanged;
  const stopped = upload.phase.value === "cancelled";
  const rate = stored / Math.max(seconds, 0.1);
  return (
    <>
      <header class={page.head}>
        <div role="status">
          <h1>
            {stopped ? "Stopped: " : ""}
            {counted(stored, "picture")} {stored === 1 ? "is" : "are"} in {collection.name}
          </h1>
          <p>
            {created.toLocaleString()} new
            {updated > 0 && `, ${updated.toLocaleString()} changed`}
            {unchanged > 0 && `, ${unchanged.toLocaleString()} there already and unchanged`}
            {failures.length > 0 && `, ${failures.length.toLocaleString()} failed`}; in {time(seconds)}, {Math.round(rate)} a
            second.
          </p>
        </div>
        <Button icon="add" onClick={onAgain}>
          Index more
        </Button>
      </header>
      {stored > 0 && (
        <ul class={css.next}>
          <Next icon="search" title="Search them" text="Find what looks like a picture." run={() => openCollection(collection.name, "search")} />
          <Next icon="map" title="Draw the map" text="All of them on one page, the alike side by side." run={() => void draw(upload)} />
          <Next icon="clusters" title="Cluster them" text="Groups of what looks alike, as many as suit." run={() => void cluster(upload)} />
          <Next
            icon="duplicates"
            title="Look for duplicates"
            text="Copies, saved anew, scaled or mirrored."
            run={() => openCollection(collection.name, "duplicates")}
          />
        </ul>
      )}
      {failures.length > 0 && <Failures failures={failures} />}
    </>
  );
}

function Next({ icon, title, text, run }: { icon: IconName; title: string; text: string; run: () => void }) {
  return (
    <li>
      <button type="button" onClick={run}>
        <Icon name={icon} size={24} />
        <strong>{title}</strong>
        <span>{text}</span>
      </button>
    </li>
  );
}

async function draw({ collection }: Upload): Promise<void> {
  try {
    await start(() => collection.project({ method: "umap" }));
    openCollection(collection.name, "map");
  } catch (error) {
    toastError(error);
  }
}

async function cluster({ collection }: Upload): Promise<void> {
  try {
    const { points } = await collection.describe();
    const usual = (await client.peek().algorithms()).find((one) => one.name === "kmeans")!;
    await start(() => collection.cluster(request(blank(points), usual, undefined)));
    openCollection(collection.name, "clusters");
    enter("clusters", { run: "kmeans" });
  } catch (error) {
    toastError(error);
  }
}
