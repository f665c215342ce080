import { useState } from "preact/hooks";

import { JobNotices } from "../jobs/JobRow.tsx";
import { useKeys } from "../keys/registry.ts";
import { refusal } from "../state/access.ts";
import { clusterings } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { Button } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { Compared } from "./Compared.tsx";
import css from "./clusters.module.css";
import { NewClustering } from "./NewClustering.tsx";
import { Opened } from "./Opened.tsx";
import { Overview } from "./Overview.tsx";
import { run } from "./state.ts";

/** The Clusters room: all clusters of a clustering, one of them, or two clusterings side by side. */
export default function ClustersRoom() {
  const [making, setMaking] = useState(false);
  const make = () => setMaking(true);
  useKeys("Clusters", [{ keys: "n", does: "New clustering", run: make }]);
  return (
    <div class={page.page}>
      <JobNotices kind="clustering" />
      <Content make={make} />
      {making && <NewClustering onClose={() => setMaking(false)} />}
    </div>
  );
}

function Content({ make }: { make: () => void }) {
  const { cluster, vs } = route.value.params;
  if (clusterings.error && !clusterings.value) return <Problem error={clusterings.error} onRetry={() => clusterings.reload()} />;
  if (!clusterings.value) return <Waiting />;
  if (!run.value) return <Nothing make={make} />;
  if (vs !== undefined) return <Compared run={run.value} other={vs} />;
  if (cluster === undefined) return <Overview run={run.value} make={make} />;
  const found = run.value.clusters.find((one) => String(one.label) === cluster);
  if (found) return <Opened key={`${run.value.run} ${cluster}`} run={run.value} cluster={found} />;
  return (
    <Empty
      icon="clusters"
      title={`${run.value.name} has no cluster ${cluster}`}
      action={<Button onClick={() => go({ cluster: undefined })}>All clusters of it</Button>}
    >
      It may have been made anew since this link was copied.
    </Empty>
  );
}

function Nothing({ make }: { make: () => void }) {
  return (
    <Empty
      icon="clusters"
      title="No clusters yet"
      action={
        <Button look="primary" icon="add" refused={refusal("write")} onClick={make}>
          New clustering
        </Button>
      }
    >
      Clustering puts images that look alike into groups, without being told what to look for. It takes seconds for
      thousands of images.
    </Empty>
  );
}

function Waiting() {
  return (
    <>
      <Skeleton width="320px" height="28px" />
      <div class={css.tiles} style={{ marginTop: "48px" }}>
        {Array.from({ length: 8 }, (_, i) => (
          <Skeleton key={i} height="240px" />
        ))}
      </div>
    </>
  );
}
