import { effect, signal } from "@preact/signals";

import { forgetThumbnails } from "../api/thumbnails.ts";
import { filter, setFilter } from "../filter/state.ts";
import { FilterBuilder } from "../filter/FilterBuilder.tsx";
import { JobsTray } from "../jobs/JobsTray.tsx";
import { useKeys } from "../keys/registry.ts";
import { PicturePanel } from "../picture/PicturePanel.tsx";
import { rooms } from "../rooms.ts";
import { useTaking } from "../search/taking.ts";
import { collections, key, keyWanted } from "../state/service.ts";
import { enter, openCollection, roomAddress, route } from "../state/route.ts";
import { nextTheme, theme } from "../state/theme.ts";
import { IconButton } from "../ui/controls.tsx";
import { Toasts } from "../ui/feedback.tsx";
import { Icon } from "../ui/Icon.tsx";
import { CollectionSwitcher } from "./CollectionSwitcher.tsx";
import { DropHint } from "./DropHint.tsx";
import { Help } from "./Help.tsx";
import { KeyDialog } from "./KeyDialog.tsx";
import { RoomHost } from "./RoomHost.tsx";
import { SelectionMenu } from "./SelectionMenu.tsx";
import css from "./shell.module.css";

const helpOpen = signal(false);

// Without a collection in the address the first one is opened, without a step to go back to.
effect(() => {
  const first = collections.value?.[0];
  if (first && route.value.collection === undefined && route.value.room !== "index") openCollection(first.name);
});

// Another key may see other pictures, and one that is gone none.
let lastKey = key.peek();
effect(() => {
  if (key.value !== lastKey) forgetThumbnails();
  lastKey = key.value;
});

effect(() => {
  const room = rooms.find((one) => one.id === route.value.room)!;
  const { collection } = route.value;
  document.title = `${collection === undefined ? "" : `${collection} · `}${room.name} · Lookalike`;
});

/** The page: rooms on the left, the collection and its filter above, an image's details on the right. */
export function Shell() {
  useKeys("Everywhere", [
    ...rooms.map((room) => ({ keys: `g ${room.key}`, does: `Go to ${room.name}`, run: () => enter(room.id) })),
    { keys: "f", does: "Filter", run: () => document.querySelector<HTMLElement>("[data-filter]")?.click() },
    { keys: "?", does: "Show all keys", run: () => void (helpOpen.value = true) },
  ]);
  useTaking(route.value.room !== "index" && route.value.collection !== undefined);
  const themeName = { system: "as the system is set", light: "light", dark: "dark" }[theme.value];
  return (
    <div class={css.shell}>
      <a class={css.skip} href="#room">
        Skip to the content
      </a>
      <nav class={css.rail} aria-label="Rooms">
        <span class={css.mark} aria-hidden="true">
          <svg viewBox="0 0 32 32" width="32" height="32" fill="none" stroke-width="2.6">
            <circle cx="12" cy="16" r="7" stroke="currentColor" />
            <circle cx="20" cy="16" r="7" stroke="currentColor" opacity="0.45" />
          </svg>
        </span>
        {rooms.map((room) => (
          <a
            key={room.id}
            href={roomAddress(room.id)}
            class={css.room}
            aria-current={route.value.room === room.id ? "page" : undefined}
            title={`${room.name} (g ${room.key})`}
            onClick={(event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              enter(room.id);
            }}
          >
            <Icon name={room.icon} size={22} />
            <span>{room.name}</span>
          </a>
        ))}
      </nav>
      <header class={css.bar}>
        <CollectionSwitcher />
        <div class={css.filter}>
          {route.value.room !== "index" && route.value.collection !== undefined && (
            <FilterBuilder oneLine value={filter.value} onChange={setFilter} />
          )}
        </div>
        <SelectionMenu />
        <JobsTray />
        <IconButton
          icon={theme.value === "system" ? "system" : theme.value === "light" ? "sun" : "moon"}
          label={`Colours: ${themeName}. Change`}
          onClick={nextTheme}
        />
        {(key.value !== undefined || keyWanted.value) && (
          <IconButton icon="key" label="API key" onClick={() => (keyWanted.value = true)} />
        )}
        <IconButton icon="help" label="Keys and help (?)" class={css.help} onClick={() => (helpOpen.value = true)} />
      </header>
      <main id="room" class={css.main} tabIndex={-1}>
        <RoomHost />
      </main>
      <PicturePanel />
      {keyWanted.value && <KeyDialog />}
      {helpOpen.value && <Help onClose={() => (helpOpen.value = false)} />}
      <DropHint />
      <Toasts />
    </div>
  );
}
