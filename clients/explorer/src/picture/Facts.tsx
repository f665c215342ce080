import type { IndexedImage } from "lookalike-client";

import css from "./picture.module.css";

/** What is known of the file. */
export function Facts({ image }: { image: IndexedImage }) {
  const rows: readonly (readonly [string, string])[] = [
    ["Id", image.id],
    ["Size", `${image.width} × ${image.height} pixels, ${image.format.toUpperCase()}`],
    ["Source", image.source ?? "not known"],
    ["Indexed", new Date(image.indexed_at).toLocaleString()],
    ["SHA-256", image.sha256],
  ];
  return (
    <section>
      <h3>File</h3>
      <dl class={css.rows}>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={value}>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
