import type { Comparison } from "lookalike-client";

import { JobNotices } from "../jobs/JobRow.tsx";
import { succeeded } from "../jobs/state.ts";
import { useKeys } from "../keys/registry.ts";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { Button } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { NewComparison } from "./NewComparison.tsx";
import { Report } from "./Report.tsx";

/** The Compare room: two sets of images, and how they differ. */
export default function CompareRoom() {
  const comparisons = useResource((signal) => {
    void succeeded.value;
    return collection.value?.comparisons({ signal });
  }, []);
  const make = () => go({ make: "1" });
  useKeys("Compare", [{ keys: "n", does: "New comparison", run: make }]);
  return (
    <div class={page.page}>
      <JobNotices kind="comparison" />
      {comparisons.error !== undefined && <Problem error={comparisons.error} onRetry={() => comparisons.reload()} />}
      {!comparisons.value && comparisons.loading && <Skeleton height="420px" />}
      {comparisons.value && <Content all={comparisons.value} make={make} />}
    </div>
  );
}

function Content({ all, make }: { all: readonly Comparison[]; make: () => void }) {
  const { run, make: making } = route.value.params;
  if (making !== undefined) return <NewComparison known={all.map(({ name }) => name)} />;
  const shown = all.find((one) => one.name === run) ?? all.toSorted((a, b) => b.created_at.localeCompare(a.created_at))[0];
  if (shown) return <Report key={shown.created_at + shown.name} comparison={shown} all={all} make={make} />;
  return (
    <Empty
      icon="compare"
      title="Nothing was compared yet"
      action={
        <Button look="primary" icon="compare" refused={refusal("write")} onClick={make}>
          Compare two sets
        </Button>
      }
    >
      Are generated pictures like real ones, one camera's like another's, this year's like last year's? Choose two sets:
      you learn how different they are, in which clusters, and by what in the pictures.
    </Empty>
  );
}
