import { useEffect, useRef, useState } from "preact/hooks";

import { JobNotices } from "../jobs/JobRow.tsx";
import { running } from "../jobs/state.ts";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { collections, described } from "../state/service.ts";
import { enter, go } from "../state/route.ts";
import { Button } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton, toast } from "../ui/feedback.tsx";
import css from "./map.module.css";
import { MapView } from "./MapView.tsx";
import { NewMap } from "./NewMap.tsx";
import { load, type Shown } from "./shown.ts";
import { NONE, projections } from "./state.ts";

const LOOK_AGAIN_MS = 15_000;

/** The Map room: the images of the collection where those that look alike lie near each other. */
export default function MapRoom() {
  const [making, setMaking] = useState(false);
  const make = () => setMaking(true);
  useNewImages();
  return (
    <>
      <Content make={make} />
      <div class={css.notices}>
        <JobNotices kind="projection" />
      </div>
      {making && <NewMap onClose={() => setMaking(false)} />}
    </>
  );
}

function Content({ make }: { make: () => void }) {
  const shown = useResource(load, []);
  useArrivals(shown.value);
  const failed = projections.error && !projections.value;
  if (failed) return <Problem error={projections.error} onRetry={() => projections.reload()} />;
  if (projections.value?.length === 0) return <Nothing make={make} />;
  if (shown.error !== undefined) {
    return (
      <>
        <Problem error={shown.error} onRetry={() => shown.reload()} />
        <p class={css.way}>
          <Button onClick={() => go({ color: NONE, only: undefined })}>Show it in one colour</Button>
        </p>
      </>
    );
  }
  if (!shown.value) return <Waiting />;
  return <MapView shown={shown.value} busy={shown.loading} onNew={make} />;
}

/** Ask now and then whether there are more images; the map is read again when there are. */
function useNewImages(): void {
  useEffect(() => {
    const timer = setInterval(() => document.hidden || collections.reload(), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
}

/** Say when images have appeared on the map that is looked at. */
function useArrivals(shown: Shown | undefined): void {
  const before = useRef<Shown | undefined>(undefined);
  useEffect(() => {
    const old = before.current;
    before.current = shown;
    if (!shown || !old || shown.projection.name !== old.projection.name) return;
    const more = shown.points.count - old.points.count;
    const word = more === 1 ? "One new image is" : `${more.toLocaleString()} new images are`;
    if (more > 0) toast(`${word} on the map.`, { action: { label: "Show which", run: () => go({ color: "later", only: undefined }) } });
  }, [shown]);
}

function Nothing({ make }: { make: () => void }) {
  if (running("projection").length > 0) return <Waiting />;
  if (described.value?.points === 0) {
    return (
      <Empty
        icon="index"
        title="This collection is empty"
        action={
          <Button look="primary" icon="index" onClick={() => enter("index")}>
            Index pictures
          </Button>
        }
      >
        A map needs some pictures first.
      </Empty>
    );
  }
  return (
    <Empty
      icon="map"
      title="No map yet"
      action={
        <Button look="primary" icon="add" refused={refusal("write")} onClick={make}>
          Make a map
        </Button>
      }
    >
      A map shows all images at once, with those that look alike near each other. It takes seconds for thousands of
      images, and new ones appear on it by themselves.
    </Empty>
  );
}

function Waiting() {
  return (
    <div class={css.room} aria-busy="true">
      <div class={css.top}>
        <section class={css.chooser}>
          <Skeleton width="240px" height="32px" />
          <Skeleton width="240px" height="32px" />
        </section>
      </div>
    </div>
  );
}
