import { useEffect, useState } from "preact/hooks";

import { refusal } from "../state/access.ts";
import { toastError } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { Choose } from "./Choose.tsx";
import { Ended } from "./Ended.tsx";
import css from "./indexing.module.css";
import { dropped, type Found } from "./picked.ts";
import { Review } from "./Review.tsx";
import { Running } from "./Running.tsx";
import { upload, uploading } from "./upload.ts";

/** The Index room: pictures are dropped, looked over, sent, and what failed is told. */
export default function IndexRoom() {
  const [found, setFound] = useState<Found>();
  const [reading, setReading] = useState(false);
  const take = (files: Promise<Found>) => {
    setReading(true);
    files.then(setFound, toastError).finally(() => setReading(false));
  };
  const over = useDropping((transfer) => {
    if (!uploading.peek() && refusal("write") === undefined) {
      upload.value = undefined;
      take(dropped(transfer));
    }
  });
  const again = () => {
    upload.value = undefined;
    setFound(undefined);
  };
  const now = upload.value;
  return (
    <div class={`${page.page} ${css.room}`}>
      {now ? (
        uploading.value ? <Running upload={now} /> : <Ended upload={now} onAgain={again} />
      ) : found && !reading ? (
        <Review found={found} onBack={again} />
      ) : (
        <Choose over={over} reading={reading} take={take} />
      )}
    </div>
  );
}

/** Whether files hover above the page; dropped ones are handed on. */
function useDropping(take: (transfer: DataTransfer) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const ended = new AbortController();
    const options = { signal: ended.signal };
    let leaving: ReturnType<typeof setTimeout>;
    addEventListener(
      "dragover",
      (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        clearTimeout(leaving);
        leaving = setTimeout(() => setOver(false), 200); // there is no event for leaving the window
        setOver(true);
      },
      options,
    );
    addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer?.types.includes("Files")) take(event.dataTransfer);
      },
      options,
    );
    return () => ended.abort();
  }, []);
  return over;
}
