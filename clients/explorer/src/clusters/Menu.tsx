import type { Clustering, ExportOptions } from "lookalike-client";
import { useState } from "preact/hooks";

import { refusal } from "../state/access.ts";
import { changed, collection, embedsText } from "../state/service.ts";
import { go } from "../state/route.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { toast, toastError } from "../ui/feedback.tsx";
import { MenuItem, Popover } from "../ui/Popover.tsx";
import { save } from "../ui/save.ts";

const FORMATS = [
  ["csv", "Table as CSV", "text/csv"],
  ["parquet", "Table as Parquet", "application/vnd.apache.parquet"],
  ["zip", "Pictures as ZIP", "application/zip"],
] as const;

/** What else can be done with a clustering: export it, name its clusters in words, delete it. */
export function Menu({ run }: { run: Clustering }) {
  const [deleting, setDeleting] = useState(false);
  const words = embedsText.value ? undefined : "needs a CLIP model";
  return (
    <>
      <Popover label="More" align="end" trigger={(props) => <IconButton icon="more" label="More" {...props} />}>
        {(close) => (
          <>
            <Exports run={run} close={close} />
            {refusal("write") === undefined && (
              <>
                <MenuItem
                  detail={words}
                  onClick={() => {
                    close();
                    if (words) toast("Words cannot be given here: the collection's model sees pictures only.");
                    else void nameInWords(run);
                  }}
                >
                  Name the clusters in words
                </MenuItem>
                <MenuItem
                  onClick={() => {
                    close();
                    setDeleting(true);
                  }}
                >
                  Delete this clustering …
                </MenuItem>
              </>
            )}
          </>
        )}
      </Popover>
      {deleting && <Delete run={run} onClose={() => setDeleting(false)} />}
    </>
  );
}

/** The rows of a menu that exports a clustering, or one cluster of it. */
export function Exports({ run, label, close }: { run: Clustering; label?: number; close: () => void }) {
  const fetchIt = async (format: (typeof FORMATS)[number]) => {
    close();
    const [name, , type] = format;
    const query: ExportOptions = { format: name, ...(label === undefined ? {} : { label: [label] }) };
    try {
      toast("Preparing the file …");
      const file = await collection.peek()!.export(run.name, query);
      save(`${collection.peek()!.name}-${run.name}${label === undefined ? "" : `-${label}`}.${name}`, type, file);
    } catch (error) {
      toastError(error);
    }
  };
  return (
    <>
      {FORMATS.map((format) => (
        <MenuItem key={format[0]} onClick={() => void fetchIt(format)}>
          {format[1]}
        </MenuItem>
      ))}
    </>
  );
}

async function nameInWords(run: Clustering): Promise<void> {
  try {
    const { clusters } = await collection.peek()!.nameClusters(run.name);
    changed();
    toast(`${clusters.length} clusters are named: ${clusters.slice(0, 3).map((one) => one.name).join(", ")} …`);
  } catch (error) {
    toastError(error);
  }
}

function Delete({ run, onClose }: { run: Clustering; onClose: () => void }) {
  const remove = async () => {
    try {
      await collection.peek()!.deleteClustering(run.name);
      go({ run: undefined, cluster: undefined });
      changed();
    } catch (error) {
      toastError(error);
    }
    onClose();
  };
  return (
    <Dialog
      title={`Delete “${run.name}”?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button look="danger" icon="trash" onClick={() => void remove()}>
            Delete
          </Button>
        </>
      }
    >
      Its {run.clusters.length} clusters and their names go; the images stay.
    </Dialog>
  );
}
