// Colours of categories, such as clusters: the same everywhere, in light and dark.

/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Noise, and what belongs to no category. */
export const NOBODY: Rgb = [148, 155, 158];

const GOLDEN_ANGLE = 137.508;
const STEPS = [0.68, 0.76, 0.6] as const; // of lightness, so that neighbouring hues can be told apart

/** The colour of a category by its number; -1 is noise. Hues go round by the golden angle, so all are far apart. */
export function categorical(label: number): Rgb {
  if (label < 0) return NOBODY;
  return oklch(STEPS[label % STEPS.length]!, 0.135, 200 + label * GOLDEN_ANGLE);
}

/** The same for CSS. */
export function categoricalCss(label: number): string {
  return `rgb(${categorical(label).join(" ")})`;
}

/** OKLCH as sRGB (Ottosson 2020), clipped to what a screen can show. */
export function oklch(lightness: number, chroma: number, hue: number): Rgb {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encoded(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function encoded(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}
