import { filter } from "../filter/state.ts";
import { useBrowse } from "../picture/browse.ts";
import { Grid, GridSkeleton, type Tile } from "../picture/Grid.tsx";
import { enter } from "../state/route.ts";
import { Button } from "../ui/controls.tsx";
import { Empty, Problem } from "../ui/feedback.tsx";
import { Icon } from "../ui/Icon.tsx";
import { Ask, NoWords } from "./Ask.tsx";
import css from "./search.module.css";

/** Before a search: the ways to ask, and pictures to start from. */
export function Start() {
  return (
    <div class={css.start}>
      <section class={css.hero}>
        <span class={css.heroIcon}>
          <Icon name="image" size={28} />
        </span>
        <div>
          <h1>Find what looks like it</h1>
          <p class={`muted ${css.byMouse}`}>Drop a picture anywhere on this page, or paste one.</p>
          <NoWords />
        </div>
        <Ask large />
      </section>
      <Pictures />
    </div>
  );
}

function Pictures() {
  const browse = useBrowse(filter.value);
  const tiles: Tile[] = browse.images.map(({ id }) => ({ id }));
  if (browse.error) return <Problem error={browse.error} />;
  if (tiles.length === 0 && browse.state === "all") {
    return filter.value ? (
      <Empty icon="filter" title="No image matches the filter">
        Take a condition away, above.
      </Empty>
    ) : (
      <Empty
        icon="index"
        title="This collection is empty"
        action={
          <Button look="primary" icon="index" onClick={() => enter("index")}>
            Index pictures
          </Button>
        }
      />
    );
  }
  return (
    <section aria-busy={browse.state === "loading"}>
      <div class={css.startTitle}>
        <h2>Or start from one of these</h2>
        <span class="muted small">Double click, or press q</span>
      </div>
      {tiles.length === 0 ? <GridSkeleton count={24} /> : <Grid label="Images" tiles={tiles} />}
      {browse.state === "more" && (
        <div class={css.more}>
          <Button onClick={() => void browse.more()}>Show more</Button>
        </div>
      )}
    </section>
  );
}
