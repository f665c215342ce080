import { useEffect, useState } from "preact/hooks";

import { Button } from "../ui/controls.tsx";
import { Problem } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { Failures } from "./Failures.tsx";
import { Local } from "./Local.tsx";
import css from "./indexing.module.css";
import type { Upload } from "./upload.ts";
import { counted, timeLeft } from "./words.ts";

/** Pictures on their way: how far, how fast, what came in last. */
export function Running({ upload }: { upload: Upload }) {
  useTick();
  const { done, total } = { done: upload.done.value, total: upload.total };
  const paused = upload.phase.value === "paused";
  const rate = upload.seconds > 0 ? done / upload.seconds : 0;
  return (
    <>
      <header class={page.head}>
        <div>
          <h1>{paused ? "Paused" : `Indexing into ${upload.collection.name}`}</h1>
          <p>You may look around in other rooms meanwhile; closing the page ends it.</p>
        </div>
        <div class={page.actions}>
          {paused ? (
            <Button look="primary" icon="play" onClick={() => upload.resume()}>
              Go on
            </Button>
          ) : (
            <Button icon="pause" onClick={() => upload.pause()}>
              Pause
            </Button>
          )}
          <Button icon="close" onClick={() => upload.cancel()}>
            Stop
          </Button>
        </div>
      </header>
      {upload.trouble.value !== undefined && <Problem error={upload.trouble.value} onRetry={() => upload.resume()} />}
      <div
        class={css.progress}
        role="progressbar"
        aria-label="Pictures indexed"
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done}
      >
        <i style={{ width: `${(100 * done) / Math.max(1, total)}%` }} />
      </div>
      <p class={`${css.line} numbers`}>
        <strong>
          {done.toLocaleString()} of {total.toLocaleString()}
        </strong>
        {rate > 0 && !paused && (
          <span>
            {rate >= 10 ? Math.round(rate) : rate.toFixed(1)} images/s · {timeLeft((total - done) / rate)} left
          </span>
        )}
        <span>
          {upload.created.value.toLocaleString()} new
          {upload.updated.value > 0 && ` · ${upload.updated.value.toLocaleString()} changed`}
          {upload.unchanged.value > 0 && ` · ${upload.unchanged.value.toLocaleString()} there already`}
        </span>
        {upload.failures.value.length > 0 && <span class={css.bad}>{counted(upload.failures.value.length, "failure")}</span>}
      </p>
      <ul class={css.latest} aria-label="Indexed last">
        {upload.latest.value.map(({ id, blob }) => (
          <li key={id} title={id}>
            <Local blob={blob} alt={id} />
          </li>
        ))}
      </ul>
      {upload.failures.value.length > 0 && <Failures failures={upload.failures.value} />}
    </>
  );
}

/** Draw again each second, for the rate. */
function useTick(): void {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), 1000);
    return () => clearInterval(timer);
  }, []);
}
