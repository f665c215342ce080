import type { Duplicates, DuplicatesRequest } from "lookalike-client";
import { useState } from "preact/hooks";

import { filter } from "../filter/state.ts";
import { start } from "../jobs/state.ts";
import { collection } from "../state/service.ts";
import { go } from "../state/route.ts";
import { Button, Check, Slider } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { Problem } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { KINDS } from "./words.ts";

/** What counts as a duplicate, and looking for them. */
export function NewSearch({ last, onClose }: { last: Duplicates | undefined; onClose: () => void }) {
  const [chosen, setChosen] = useState(false);
  const [near, setNear] = useState(last?.near ?? 0.9);
  const [bits, setBits] = useState(last?.bits ?? 10);
  const [variant, setVariant] = useState(last?.variant ?? 0.95);
  const [anew, setAnew] = useState(false);
  const [onlyFilter, setOnlyFilter] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const begin = async () => {
    const body: DuplicatesRequest = {
      name: last?.name ?? "duplicates",
      bits: chosen ? bits : 10,
      anew,
      ...(chosen ? { near, variant } : {}),
      ...(onlyFilter && filter.peek() ? { filter: filter.peek()! } : {}),
    };
    try {
      await start(() => collection.peek()!.findDuplicates(body));
      go({ group: undefined, kind: undefined });
      onClose();
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <Dialog
      title="Look for duplicates"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" onClick={() => void begin()}>
            Look for them
          </Button>
        </>
      }
    >
      <div class={page.form}>
        <ul class={page.form}>
          {Object.values(KINDS).map((kind) => (
            <li key={kind.name}>
              <strong>{kind.name}</strong> <span class="muted">{kind.means}</span>
            </li>
          ))}
        </ul>
        <Check label="Set the thresholds myself" checked={chosen} onChange={setChosen} />
        {chosen ? (
          <>
            <Slider label="Near from a cosine of" text={near.toFixed(3)} value={near} min={0.8} max={1} step={0.005} onInput={setNear} />
            <Slider
              label="and a perceptual hash that differs in at most"
              text={`${bits} of 64 bits`}
              value={bits}
              min={0}
              max={32}
              step={1}
              onInput={setBits}
            />
            <Slider label="Variants from a cosine of" text={variant.toFixed(3)} value={variant} min={0.8} max={1} step={0.005} onInput={setVariant} />
            <p class="muted small">
              Lower finds more, and more that are none. Look at some groups before you delete: models and pictures differ.
            </p>
          </>
        ) : (
          <p class="muted small">
            Near from a cosine of 0.9 with at most 10 of 64 bits of the hash differing, variants from 0.95; more where the
            collection is calibrated and its pictures ask for it.
          </p>
        )}
        {last && (
          <Check label="Compare all images again, not only those that are new" checked={anew} onChange={setAnew} />
        )}
        {filter.value && (
          <Check label="Only among the images that match the filter" checked={onlyFilter} onChange={setOnlyFilter} />
        )}
        {failed !== undefined && <Problem error={failed} />}
      </div>
    </Dialog>
  );
}
