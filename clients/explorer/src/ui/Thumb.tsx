import { useEffect, useRef, useState } from "preact/hooks";

import { acquire, release } from "../api/thumbnails.ts";
import { client } from "../state/service.ts";
import { Icon } from "./Icon.tsx";
import css from "./Thumb.module.css";

/** An indexed image's thumbnail, fetched when it comes near the window. It fills its parent. */
export function Thumb({
  collection,
  id,
  alt = "",
  fit = "cover",
}: {
  collection: string;
  id: string;
  /** Empty where its name stands beside it. */
  alt?: string;
  fit?: "cover" | "contain";
}) {
  const box = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(false);
  const [address, setAddress] = useState<string>();
  const [failed, setFailed] = useState(false);
  const service = client.value; // another key: fetched again

  useEffect(() => {
    const watcher = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) {
          setNear(true);
          watcher.disconnect();
        }
      },
      { rootMargin: "300px" },
    );
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);

  useEffect(() => {
    if (!near) return undefined;
    let gone = false;
    let held = false;
    setFailed(false);
    acquire(collection, id).then(
      (url) => {
        if (gone) return release(collection, id);
        held = true;
        setAddress(url);
      },
      () => gone || setFailed(true),
    );
    return () => {
      gone = true;
      setAddress(undefined);
      if (held) release(collection, id);
    };
  }, [near, collection, id, service]);

  return (
    <div ref={box} class={css.thumb}>
      {address && <img src={address} alt={alt} class={css[fit]} draggable={false} decoding="async" />}
      {failed && (
        <span class={css.failed} title="The thumbnail could not be fetched.">
          <Icon name="image" />
        </span>
      )}
    </div>
  );
}
