// Sorts places into a k-d tree away from the page, which it would stop for a second with a million of them.

import KDBush from "kdbush";

onmessage = ({ data }: MessageEvent<Float32Array>) => {
  const index = new KDBush(data.length / 2, 64, Float32Array);
  for (let i = 0; i < data.length; i += 2) index.add(data[i]!, data[i + 1]!);
  index.finish();
  postMessage(index.data, { transfer: [index.data as ArrayBuffer] });
};
