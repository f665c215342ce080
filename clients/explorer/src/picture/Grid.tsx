import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { useKeys } from "../keys/registry.ts";
import { enter, route } from "../state/route.ts";
import { selection, toggle } from "../state/selection.ts";
import { IconButton } from "../ui/controls.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import css from "./grid.module.css";
import { openImage } from "./PicturePanel.tsx";

/** What a tile shows beside its picture. */
export interface Tile {
  id: string;
  /** For screen readers, after the id. */
  says?: string;
  /** Below the picture. */
  caption?: ComponentChildren;
  /** Above the picture, of its size, such as a heat map. */
  overlay?: ComponentChildren;
  /** Further buttons on the picture, which keys can do too. */
  actions?: ComponentChildren;
  /** A frame in the accent's colour (`good`) or crossed out (`bad`). */
  mark?: "good" | "bad" | undefined;
}

/** The id of the tile that has the focus. */
export function focusedImage(): string | undefined {
  return document.activeElement?.closest<HTMLElement>("[data-image]")?.dataset["image"];
}

/** Find images like this one; its details make room for theirs. */
export function findSimilar(id: string): void {
  enter("search", { id, image: undefined });
}

/**
 * Pictures in rows: arrows move, Enter opens, `q` searches by one, `x` selects one. `onPoint` is told which tile
 * the pointer or the focus has come to, undefined when it left.
 */
export function Grid({
  label,
  tiles,
  onPoint,
  large = false,
}: {
  label: string;
  tiles: readonly Tile[];
  onPoint?: (id: string | undefined) => void;
  large?: boolean;
}) {
  const list = useRef<HTMLUListElement>(null);
  const move = (across: number, down: number) => () => moved(list.current!, across, down);
  const withFocused = (run: (id: string) => void) => () => {
    const id = focusedImage();
    if (id === undefined) return false;
    run(id);
    return undefined;
  };
  useKeys(label, [
    { keys: "ArrowRight", does: "Next image", run: move(1, 0) },
    { keys: "ArrowLeft", does: "Image before", run: move(-1, 0) },
    { keys: "ArrowDown", does: "A row down", run: move(0, 1) },
    { keys: "ArrowUp", does: "A row up", run: move(0, -1) },
    { keys: "q", does: "Search by the image", run: withFocused(findSimilar) },
    { keys: "x", does: "Select the image", run: withFocused(toggle) },
  ]);
  const last = useRef<{ id: string; at: number } | undefined>(undefined);
  useEffect(() => {
    // The tile that had the focus is gone, as one that was marked: its place has it now.
    const { id, at } = last.current ?? {};
    if (id === undefined || at === undefined || document.activeElement !== document.body) return;
    if (!tiles.some((tile) => tile.id === id)) buttonsOf(list.current!).at(Math.min(at, tiles.length - 1))?.focus();
  }, [tiles]);
  const collection = route.value.collection!;
  const open = route.value.params["image"];
  return (
    <ul ref={list} class={`${css.grid} ${large ? css.large : ""}`} aria-label={label}>
      {tiles.map((tile, i) => {
        const chosen = selection.value.has(tile.id);
        return (
          <li
            key={tile.id}
            data-image={tile.id}
            class={`${css.tile} ${tile.mark ? css[tile.mark] : ""} ${chosen ? css.chosen : ""}`}
            onPointerEnter={(event) => event.pointerType === "mouse" && onPoint?.(tile.id)}
            onPointerLeave={() => onPoint?.(undefined)}
            onFocusIn={() => {
              last.current = { id: tile.id, at: i };
              onPoint?.(tile.id);
            }}
            onFocusOut={() => onPoint?.(undefined)}
          >
            <button
              type="button"
              class={css.picture}
              tabIndex={open === undefined ? (i === 0 ? 0 : -1) : tile.id === open ? 0 : -1}
              aria-label={tile.says ? `${tile.id}, ${tile.says}` : tile.id}
              aria-pressed={tile.id === open}
              onClick={() => openImage(tile.id === open ? undefined : tile.id)}
              onDblClick={() => findSimilar(tile.id)}
            >
              <Thumb collection={collection} id={tile.id} />
              {tile.overlay}
            </button>
            <div class={css.actions}>
              <IconButton
                icon={chosen ? "check" : "select"}
                label={chosen ? "No longer select (x)" : "Select (x)"}
                pressed={chosen}
                tabIndex={-1}
                onClick={() => toggle(tile.id)}
              />
              <span />
              {tile.actions}
              <IconButton icon="search" label="Search by this (q)" tabIndex={-1} onClick={() => findSimilar(tile.id)} />
            </div>
            {tile.caption && <div class={css.caption}>{tile.caption}</div>}
          </li>
        );
      })}
    </ul>
  );
}

/** Put the focus on the tile that many columns and rows away; at first on the first. */
function moved(list: HTMLUListElement, across: number, down: number): void | false {
  const buttons = buttonsOf(list);
  if (buttons.length === 0) return false;
  const at = buttons.findIndex((button) => button.parentElement!.contains(document.activeElement));
  const top = (button: HTMLElement) => button.parentElement!.offsetTop;
  const columns = buttons.filter((button) => top(button) === top(buttons[0]!)).length;
  const next = at < 0 ? 0 : at + across + down * columns;
  buttons[next]?.focus();
  return undefined;
}

function buttonsOf(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>(`.${css.picture}`)];
}

/** Grey tiles while images are on their way. */
export function GridSkeleton({ count = 18 }: { count?: number }) {
  return (
    <ul class={css.grid} aria-hidden="true">
      {Array.from({ length: count }, (_, i) => (
        <li key={i} class={`${css.tile} ${css.waiting}`}>
          <div class={css.picture} />
        </li>
      ))}
    </ul>
  );
}
