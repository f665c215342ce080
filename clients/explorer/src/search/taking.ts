// Pictures and words that come in by dropping, pasting and choosing.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { enter } from "../state/route.ts";
import { embedsText } from "../state/service.ts";
import { toast } from "../ui/feedback.tsx";
import { newSearch } from "./query.ts";
import { keep } from "./uploads.ts";

/** Whether something is held above the window to be dropped. */
export const dropping = signal(false);

/** Search by a picture. */
export async function searchByPicture(file: File): Promise<void> {
  enter("search", newSearch({ kind: "upload", token: await keep(file, file.name) }));
}

/** Search by words. */
export function searchByText(text: string): void {
  if (text.trim() !== "") enter("search", newSearch({ kind: "text", text: text.trim() }));
}

/** Take what is dropped on the window or pasted, while `taking`. */
export function useTaking(taking: boolean): void {
  useEffect(() => {
    if (!taking) return undefined;
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      dropping.value = true;
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) dropping.value = false;
    };
    const drop = (event: DragEvent) => {
      dropping.value = false;
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      take(event.dataTransfer.files);
    };
    const paste = (event: ClipboardEvent) => {
      if (event.clipboardData?.files.length) return take(event.clipboardData.files);
      const text = event.clipboardData?.getData("text/plain") ?? "";
      const typing = event.target instanceof Element && event.target.matches("input, textarea");
      if (!typing && text !== "" && embedsText.peek()) searchByText(text);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    addEventListener("paste", paste);
    return () => {
      dropping.value = false;
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
      removeEventListener("paste", paste);
    };
  }, [taking]);
}

function take(files: FileList): void {
  const [first, ...rest] = [...files].filter((file) => file.type.startsWith("image/") || file.type === "");
  if (!first) return toast("That is no picture. Drop a JPEG, PNG, WebP or TIFF file.", { tone: "bad" });
  if (rest.length > 0) toast(`Searching by ${first.name}; ${rest.length} more were dropped. To index many, use the Index room.`);
  void searchByPicture(first);
}
