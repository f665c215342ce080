// The icons, drawn on a grid of 24 with lines of 1.75.

const PATHS = {
  add: "M12 5v14M5 12h14",
  arrowLeft: "M19 12H5m6-6-6 6 6 6",
  arrowRight: "M5 12h14m-6-6 6 6-6 6",
  box: "M5 5h2.5M10.75 5h2.5M16.5 5H19v2.5M19 10.75v2.5M19 16.5V19h-2.5M13.25 19h-2.5M7.5 19H5v-2.5M5 13.25v-2.5M5 7.5V5",
  camera: "M4 8h3l2-2.5h6L17 8h3v11H4zM12 16.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5",
  check: "m5 12.5 4.5 4.5L19 7.5",
  chevronDown: "m6 9.5 6 6 6-6",
  chevronRight: "m9.5 6 6 6-6 6",
  close: "M6 6l12 12M18 6 6 18",
  clusters: "M8 12.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8M17.5 10a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5M15 20.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7",
  compare: "M4 5h7v14H4zM13.5 5H20v14h-6.5M7.5 9v6M16.75 9v6",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  crop: "M7 3v14h14M3 7h14v14",
  download: "M12 4v11m-5-4.5 5 5 5-5M5 20h14",
  duplicates: "M8 8h12v12H8zM16 8V4H4v12h4",
  edit: "M5 19l1-4L16.5 4.5l3 3L9 18zM14.5 6.5l3 3",
  external: "M13 5h6v6m0-6-9 9M17 14v5H5V7h5",
  filter: "M4 6h16M7 12h10M10 18h4",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  help: "M9 9.2a3 3 0 1 1 4.6 2.5c-1 .7-1.6 1.3-1.6 2.3M12 17.5v.01",
  image: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 3-3L20 17M15 9.5v.01",
  index: "M12 15V4m-4.5 4L12 3.5 16.5 8M4 14v6h16v-6",
  jobs: "M3.5 12h4l3-7.5 4 15 2.5-7.5h3.5",
  key: "M14.5 13.5a4.5 4.5 0 1 0-4.2-2.9L4 17v3h3v-2h2v-2h2l1.3-2.5M15.5 8.5v.01",
  lasso: "M8.5 15.6C5.4 14.8 3.5 12.9 3.5 10.5c0-3.3 3.8-6 8.5-6s8.5 2.7 8.5 6-3.8 6-8.5 6c-.6 0-1.2 0-1.7-.1M8.4 18.2a2 2 0 1 0 0-4 2 2 0 0 0 0 4M8.4 18.2c0 1.500-.9 2.300-2.400 2.300",
  map: "M5 8v.01M9.5 15v.01M12 6.5v.01M15 11v.01M19 7v.01M18 17v.01M6.5 19v.01M13 18.5v.01M7.5 11.5v.01M17 13.5v.01",
  minus: "M5 12h14",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10",
  more: "M6 12v.01M12 12v.01M18 12v.01",
  pause: "M8.5 6v12M15.5 6v12",
  pin: "M12 15v6M8 4h8l-1 6 3 5H6l3-5z",
  play: "M8 5.5 18 12 8 18.5z",
  retry: "M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5",
  search: "M11 17.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M15.8 15.8 20 20",
  select: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 12l2.2 2.2L15.5 10",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  tag: "M4 4h8l8.5 8.5-8 8L4 12zM8.5 8.5v.01",
  text: "M5 7V5h14v2M12 5v14M9.5 19h5",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  warning: "M12 4 21 19.5H3zM12 10v4M12 16.8v.01",
  why: "M12 3.5v3M12 17.5v3M3.5 12h3M17.5 12h3M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 12v.01",
} as const;

export type IconName = keyof typeof PATHS;

/** Icons whose points are dots, which need a thicker line. */
const DOTTED = new Set<IconName>(["map", "more"]);

/** An icon in the colour of the text; it says nothing to screen readers. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={DOTTED.has(name) ? 3.25 : 1.75}
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
