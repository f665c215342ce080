import { useState } from "preact/hooks";

import { refusal } from "../state/access.ts";
import { changed, collection } from "../state/service.ts";
import { Button } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { toast, toastError } from "../ui/feedback.tsx";
import { openImage } from "./PicturePanel.tsx";

/** Deletes an image from the collection, after asking. */
export function DeleteImage({ id }: { id: string }) {
  const [asking, setAsking] = useState(false);
  const run = async () => {
    try {
      await collection.peek()!.delete({ ids: [id] });
      toast(`${id} is deleted from the collection.`);
      changed();
      openImage(undefined);
    } catch (error) {
      toastError(error);
    }
  };
  return (
    <div>
      <Button look="quiet" icon="trash" refused={refusal("write")} onClick={() => setAsking(true)}>
        Delete from the collection
      </Button>
      {asking && (
        <Dialog
          title="Delete this image?"
          onClose={() => setAsking(false)}
          footer={
            <>
              <Button look="quiet" onClick={() => setAsking(false)}>
                Keep it
              </Button>
              <Button look="danger" icon="trash" onClick={() => void run()}>
                Delete
              </Button>
            </>
          }
        >
          <p>
            <strong>{id}</strong> leaves the collection with its metadata and labels. The file that it was indexed from
            stays where it is.
          </p>
        </Dialog>
      )}
    </div>
  );
}
