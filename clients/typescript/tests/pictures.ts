// Pictures that an encoder tells apart, drawn here so that no files are needed.

const SIDE = 64;

/** A 24-bit BMP (bottom up) of stripes and a spot whose place, width and colours follow the seed. */
export function bmp(seed: number): Blob {
  const header = new DataView(new ArrayBuffer(54));
  const size = SIDE * SIDE * 3;
  header.setUint16(0, 0x424d);
  header.setUint32(2, 54 + size, true);
  header.setUint32(10, 54, true);
  header.setUint32(14, 40, true);
  header.setInt32(18, SIDE, true);
  header.setInt32(22, SIDE, true);
  header.setUint16(26, 1, true);
  header.setUint16(28, 24, true);
  header.setUint32(34, size, true);
  const pixels = new Uint8Array(size);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) pixels.set(color(x, y, seed), (y * SIDE + x) * 3);
  }
  return new Blob([header.buffer, pixels], { type: "image/bmp" });
}

function color(x: number, y: number, seed: number): [number, number, number] {
  const stripe = Math.floor((seed % 2 ? x : y) / (3 + seed)) % 2 ? 220 : 40;
  const spot = Math.hypot(x - 8 * seed, y - 32) < 12;
  return spot ? [30 * seed, 255 - 30 * seed, 128] : [stripe, (stripe * seed) % 256, 255 - stripe];
}
