import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";

import { type Room, rooms } from "../rooms.ts";
import { collections, key, keyWanted } from "../state/service.ts";
import { openCollection, route } from "../state/route.ts";
import { Button } from "../ui/controls.tsx";
import { Empty, Problem } from "../ui/feedback.tsx";
import css from "./shell.module.css";

const loaded = signal<Partial<Record<Room["id"], ComponentType>>>({});

/** The room that one is in, or what has to be done before it can be entered. */
export function RoomHost() {
  const { room: id, collection } = route.value;
  const room = rooms.find((one) => one.id === id)!;
  if (collections.error && !collections.value) {
    return <Problem error={collections.error} onRetry={() => collections.reload()} />;
  }
  if (id !== "index") {
    if (!collections.value) return null;
    if (collections.value.length === 0) return <Nothing />;
    if (!collections.value.some((one) => one.name === collection)) return <Choose />;
  }
  return <Loaded key={`${id} ${collection}`} room={room} />;
}

function Loaded({ room }: { room: Room }) {
  const [failed, setFailed] = useState<unknown>();
  const [broken, reset] = useErrorBoundary();
  useEffect(() => {
    if (loaded.peek()[room.id]) return;
    room.load().then((module) => (loaded.value = { ...loaded.peek(), [room.id]: module.default }), setFailed);
  }, [room]);
  if (failed) return <Problem error={failed} onRetry={() => location.reload()} />;
  if (broken) return <Problem error={broken} onRetry={reset} />;
  const Component = loaded.value[room.id];
  return Component ? <Component /> : null;
}

function Nothing() {
  return (
    <Empty
      icon="index"
      title="No pictures yet"
      action={
        <Button look="primary" icon="index" onClick={() => openCollection(undefined, "index")}>
          Index pictures
        </Button>
      }
    >
      Drop a folder of pictures into the Index room. A minute later you can search, map and cluster them.
    </Empty>
  );
}

function Choose() {
  const wanted = route.value.collection;
  const keyed = key.value !== undefined || keyWanted.value;
  return (
    <Empty icon="grid" title={wanted === undefined ? "Which collection?" : `There is no collection “${wanted}”`}>
      {wanted !== undefined && keyed && <p>If it exists, your key may not see it.</p>}
      <ul class={css.choices}>
        {collections.value!.map((one) => (
          <li key={one.name}>
            <Button onClick={() => openCollection(one.name)}>
              {one.name}
              <span class="muted numbers">{one.points.toLocaleString()}</span>
            </Button>
          </li>
        ))}
      </ul>
    </Empty>
  );
}
