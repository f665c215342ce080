// Pictures in the browser: their upright size, and parts of them.

import type { Region } from "lookalike-client";

/** Width and height in pixels, upright; undefined for a format that this browser cannot show, such as TIFF. */
export async function sizeOf(blob: Blob): Promise<{ width: number; height: number } | undefined> {
  try {
    const picture = await createImageBitmap(blob);
    const { width, height } = picture;
    picture.close();
    return { width, height };
  } catch {
    return undefined;
  }
}

/** A part as a PNG; `size` is the size that the region is in pixels of, where that is not the picture's own. */
export async function cropped(blob: Blob, region: Region, size?: { width: number; height: number }): Promise<Blob> {
  const picture = await createImageBitmap(blob);
  const scale = size ? picture.width / size.width : 1;
  const [width, height] = [Math.max(1, Math.round(region.width * scale)), Math.max(1, Math.round(region.height * scale))];
  const canvas = new OffscreenCanvas(width, height);
  const from = [region.left * scale, region.top * scale, region.width * scale, region.height * scale] as const;
  canvas.getContext("2d")!.drawImage(picture, ...from, 0, 0, width, height);
  picture.close();
  return canvas.convertToBlob({ type: "image/png" });
}
