import type { ProjectionRequest } from "lookalike-client";
import { useState } from "preact/hooks";

import { fieldName } from "../filter/conditions.ts";
import { filter } from "../filter/state.ts";
import { start } from "../jobs/state.ts";
import { collection } from "../state/service.ts";
import { Button, Check, Field, Segmented, Select, TextInput } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { Problem } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { fields, projection } from "./state.ts";
import { type Method, METHODS, type Parameter } from "./words.ts";

const SUPERVISED = "supervised_umap";

/** How to make a map: the method and what it keeps, its numbers, and what it is made of. */
export function NewMap({ onClose }: { onClose: () => void }) {
  const [method, setMethod] = useState<Method>(METHODS[0]!);
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [name, setName] = useState("");
  const [dimensions, setDimensions] = useState<"2" | "3">("2");
  const [aligned, setAligned] = useState(false);
  const [label, setLabel] = useState(fields.value[0] ?? "");
  const [failed, setFailed] = useState<unknown>();
  const former = projection.value?.dimensions === Number(dimensions) ? projection.value.name : undefined;
  const faulty = method.parameters.find((one) => wrong(one, typed[one.name] ?? ""));
  const refused =
    faulty !== undefined
      ? wrong(faulty, typed[faulty.name] ?? "")
      : method.name === SUPERVISED && label === ""
        ? "It draws by labels, and the images have no metadata."
        : undefined;
  const begin = async () => {
    const numbers = Object.entries(typed).filter(([, text]) => text.trim() !== "");
    const request: ProjectionRequest = {
      method: method.name,
      dimensions: Number(dimensions) as 2 | 3,
      parameters: Object.fromEntries(numbers.map(([key, text]) => [key, Number(text)])),
      reduction: "auto",
      seed: 0,
      ...(name.trim() ? { name: name.trim() } : {}),
      ...(aligned && former !== undefined ? { align_to: former } : {}),
      ...(method.name === SUPERVISED ? { label_field: label } : {}),
      ...(filter.peek() ? { filter: filter.peek()! } : {}),
    };
    try {
      await start(() => collection.peek()!.project(request));
      onClose();
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <Dialog
      title="Make a map"
      wide
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" refused={refused} onClick={() => void begin()}>
            Make it
          </Button>
        </>
      }
    >
      <div class={page.form}>
        <Field label="Method" hint={method.keeps}>
          {(id, by) => (
            <Select
              id={id}
              aria-describedby={by}
              options={METHODS.map((one) => [one.name, one.title] as const)}
              value={method.name}
              onChange={(next) => {
                setMethod(METHODS.find((one) => one.name === next)!);
                setTyped({});
                setFailed(undefined);
              }}
            />
          )}
        </Field>
        {method.name === SUPERVISED && (
          <Field label="Labels">
            {(id) => <Select id={id} options={fields.value.map((one) => [one, fieldName(one)] as const)} value={label} onChange={setLabel} />}
          </Field>
        )}
        {method.parameters.length > 0 && (
          <div class={page.two}>
            {method.parameters.map((one) => (
              <Field key={one.name} label={one.title} hint={`${one.meaning} Usually ${one.usual}.`} error={wrong(one, typed[one.name] ?? "")}>
                {(id, by) => (
                  <TextInput
                    id={id}
                    aria-describedby={by}
                    inputMode="decimal"
                    placeholder={String(one.usual)}
                    value={typed[one.name] ?? ""}
                    onInput={(event) => setTyped({ ...typed, [one.name]: event.currentTarget.value })}
                  />
                )}
              </Field>
            ))}
          </div>
        )}
        <div>
          <Segmented label="Dimensions" options={[["2", "2 dimensions"], ["3", "3 dimensions"]]} value={dimensions} onChange={setDimensions} />
        </div>
        <Field label="Name" hint="A map of this name is replaced.">
          {(id, by) => (
            <TextInput id={id} aria-describedby={by} placeholder={method.name} value={name} onInput={(event) => setName(event.currentTarget.value)} />
          )}
        </Field>
        {former !== undefined && (
          <Check label={`Lay it over ${former}, so that images stay where they are as far as they can`} checked={aligned} onChange={setAligned} />
        )}
        {filter.value && <p class={page.footnote}>Of the images that match the filter alone. Take the filter away to map all.</p>}
        {failed !== undefined && <Problem error={failed} />}
      </div>
    </Dialog>
  );
}

/** What is wrong with a number that was typed; nothing where the usual one is meant. */
function wrong({ least, most, whole }: Parameter, text: string): string | undefined {
  if (text.trim() === "") return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= least && value <= most && (!whole || Number.isInteger(value))) return undefined;
  return `${whole ? "A whole number" : "A number"} from ${least} to ${most}.`;
}
