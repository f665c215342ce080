import { useState } from "preact/hooks";

import { changed, collection } from "../state/service.ts";
import { Button } from "../ui/controls.tsx";
import { Problem, toast } from "../ui/feedback.tsx";
import { Strip } from "../picture/Strip.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { forget, marked } from "./decisions.ts";

const SHOWN = 12;

/** Deleting what was marked, once more to be agreed to. */
export function DeleteMarked({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [failed, setFailed] = useState<unknown>();
  const [ids] = useState(marked.peek());
  const remove = async () => {
    try {
      const deleted = await collection.peek()!.delete({ ids });
      forget();
      changed();
      toast(`${deleted.toLocaleString()} ${deleted === 1 ? "image" : "images"} deleted.`);
      onClose();
      onDone();
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <Dialog
      title={`Delete ${ids.length.toLocaleString()} ${ids.length === 1 ? "image" : "images"}?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep them</Button>
          <Button look="danger" icon="trash" onClick={() => void remove()}>
            Delete {ids.length.toLocaleString()}
          </Button>
        </>
      }
    >
      <p>
        They leave the collection with their thumbnails and metadata; this cannot be undone. Files they were indexed from
        are not touched.
      </p>
      <br />
      <Strip label="Images to be deleted" ids={ids.slice(0, SHOWN)} />
      {ids.length > SHOWN && <p class="muted small">And {ids.length - SHOWN} more.</p>}
      {failed !== undefined && <Problem error={failed} />}
    </Dialog>
  );
}
