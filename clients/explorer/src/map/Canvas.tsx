import { useEffect, useRef, useState } from "preact/hooks";

import { isAbort } from "../api/advice.ts";
import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { Empty, Problem } from "../ui/feedback.tsx";
import css from "./map.module.css";
import { NoWebGL } from "./renderer.ts";
import { type Events, Stage } from "./stage.ts";

/** The canvas; `onStage` is told when there is something to draw on, and undefined when it is gone. */
export function Canvas({
  label,
  events,
  onStage,
  projection,
}: {
  label: string;
  events: Events;
  onStage: (stage: Stage | undefined) => void;
  projection: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [failed, setFailed] = useState<unknown>();
  const [round, setRound] = useState(0);
  const current = useRef(events);
  current.current = events;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    let stage: Stage;
    try {
      stage = new Stage(element, {
        pick: (...all) => current.current.pick(...all),
        surround: (...all) => current.current.surround(...all),
        rest: (...all) => current.current.rest(...all),
      });
    } catch (error) {
      setFailed(error);
      return undefined;
    }
    onStage(stage);
    // A graphics driver may take the canvas away, as on a laptop that slept: draw it all again on a new one.
    const lost = () => setRound((before) => before + 1);
    element.addEventListener("webglcontextlost", lost);
    return () => {
      element.removeEventListener("webglcontextlost", lost);
      onStage(undefined);
      stage.dispose();
    };
  }, [round]);
  if (failed instanceof NoWebGL) return <AsPicture projection={projection} />;
  if (failed !== undefined) return <Problem error={failed} />;
  return <canvas key={round} ref={canvas} class={css.canvas} tabIndex={0} role="img" aria-label={label} aria-describedby="map-keys" />;
}

/** Without WebGL: the map as the service draws it. */
function AsPicture({ projection }: { projection: string }) {
  const picture = useResource((signal) => collection.value?.projectionImage(projection, { thumbnails: true }, { signal }), [projection]);
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (!picture.value) return undefined;
    const made = URL.createObjectURL(picture.value);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [picture.value]);
  if (picture.error && !isAbort(picture.error)) return <Problem error={picture.error} onRetry={() => picture.reload()} />;
  return (
    <div class={css.asPicture}>
      <Empty icon="map" title="This browser cannot draw the map itself">
        It has no WebGL 2. Here is the map as the service draws it; it cannot be moved.
      </Empty>
      {url && <img src={url} alt={`The map ${projection}, made of thumbnails`} />}
    </div>
  );
}
