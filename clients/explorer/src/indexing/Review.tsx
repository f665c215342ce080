import type { CollectionInfo } from "lookalike-client";
import { useEffect, useMemo, useState } from "preact/hooks";

import { client, collections, models } from "../state/service.ts";
import { openCollection, route } from "../state/route.ts";
import { Button, Check, Field, Select, TextInput } from "../ui/controls.tsx";
import { Empty, Problem } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import { placeMetadata } from "./batches.ts";
import { Failures } from "./Failures.tsx";
import css from "./indexing.module.css";
import { Local } from "./Local.tsx";
import type { Found, Picked } from "./picked.ts";
import { bytes, counted } from "./words.ts";
import { Upload, upload } from "./upload.ts";

const NEW = "";
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const SHOWN = 12;
const INDEXES = { "metadata.folder": "keyword", "metadata.label": "keyword" } as const;

/** What was found, and where it is to go. */
export function Review({ found, onBack }: { found: Found; onBack: () => void }) {
  const { pictures, others, failures } = found;
  const known = collections.value ?? [];
  const here = known.find((one) => one.name === route.value.collection);
  const [chosen, choose] = useState<string>();
  // Not fixed when this opens: the collection just indexed into may not be listed yet.
  const target = chosen ?? (here && route.value.params["new"] === undefined ? here.name : NEW);
  const [name, setName] = useState(found.name);
  const [model, setModel] = useState<string>();
  const [labelled, setLabelled] = useState(true);
  const [failed, setFailed] = useState<unknown>();
  if (pictures.length === 0) return <NoPictures found={found} onBack={onBack} />;
  const reason = target === NEW ? wrongName(name, known) : undefined;
  const begin = async () => {
    try {
      const into = target === NEW ? name : target;
      if (target === NEW) {
        await client.peek().createCollection(into, { ...(model ? { model } : {}), ...(labelled ? { indexes: INDEXES } : {}) });
        collections.reload();
      }
      openCollection(into, "index");
      upload.value = new Upload(client.peek().collection(into), pictures, labelled, failures);
    } catch (error) {
      setFailed(error);
    }
  };
  const folders = new Set(pictures.map(({ folder }) => folder).filter((folder) => folder !== ""));
  return (
    <>
      <header class={page.head}>
        <div>
          <h1>{counted(pictures.length, "picture")}</h1>
          <p>
            {bytes(pictures.reduce((sum, { size }) => sum + size, 0))}
            {folders.size > 0 && ` in ${counted(folders.size, "folder")}`}
            {others > 0 && ` · ${counted(others, "other file")} left out`}
          </p>
        </div>
        <Button icon="arrowLeft" onClick={onBack}>
          Choose others
        </Button>
      </header>
      <Preview pictures={pictures} />
      {failures.length > 0 && <Failures failures={failures} />}
      <div class={`${page.card} ${page.form} ${css.where}`}>
        <Field label="Into">
          {(id) => (
            <Select
              id={id}
              value={target}
              onChange={choose}
              options={[[NEW, "A new collection"] as const, ...known.map((one) => [one.name, `${one.name} (${counted(one.points, "image")})`] as const)]}
            />
          )}
        </Field>
        {target === NEW ? (
          <div class={page.two}>
            <Field label="Its name" error={reason} hint="Letters, digits, and _ . - after the first.">
              {(id, described) => (
                <TextInput id={id} aria-describedby={described} value={name} onInput={(event) => setName(event.currentTarget.value)} />
              )}
            </Field>
            <ModelChoice model={model} onChange={setModel} />
          </div>
        ) : (
          <p class="muted small">Pictures that are there already, byte for byte, stay as they are.</p>
        )}
        {folders.size > 0 && (
          <Check
            label={`Label each picture by its folder: ${[...folders].slice(0, 3).map(labelOf).join(", ")}${folders.size > 3 ? " …" : ""}`}
            checked={labelled}
            onChange={setLabelled}
          />
        )}
        {failed !== undefined && <Problem error={failed} />}
        <div class={css.begin}>
          <Button look="primary" icon="index" refused={reason} onClick={() => void begin()}>
            Index {counted(pictures.length, "picture")}
          </Button>
        </div>
      </div>
    </>
  );
}

function labelOf(folder: string): string {
  return placeMetadata({ folder })["label"] ?? folder;
}

function wrongName(name: string, known: readonly CollectionInfo[]): string | undefined {
  if (!NAME.test(name)) return "Letters, digits, and _ . - after the first, at most 63.";
  return known.some((one) => one.name === name) ? "There is a collection of this name; choose it above, or another name." : undefined;
}

function ModelChoice({ model, onChange }: { model: string | undefined; onChange: (model: string) => void }) {
  const served = (models.value ?? []).filter((one) => one.served);
  const usual = served.find((one) => one.default)?.model ?? "";
  const chosen = served.find((one) => one.model === (model ?? usual));
  const hint = chosen?.text
    ? "It understands words too: the collection can be searched by text."
    : "It sees pictures only. It cannot be changed later without embedding all anew.";
  return (
    <Field label="Model" hint={hint}>
      {(id, described) => (
        <Select
          id={id}
          aria-describedby={described}
          value={model ?? usual}
          onChange={onChange}
          options={served.map((one) => [one.model, `${one.model}${one.default ? " (default)" : ""}`] as const)}
        />
      )}
    </Field>
  );
}

/** Some of them, as they are here. */
function Preview({ pictures }: { pictures: readonly Picked[] }) {
  const [blobs, setBlobs] = useState<readonly (Blob | undefined)[]>([]);
  const some = useMemo(() => {
    const step = Math.max(1, Math.floor(pictures.length / SHOWN));
    return pictures.filter((_, i) => i % step === 0).slice(0, SHOWN);
  }, [pictures]);
  useEffect(() => {
    void Promise.allSettled(some.map((one) => one.read())).then((all) =>
      setBlobs(all.map((one) => (one.status === "fulfilled" ? one.value : undefined))),
    );
  }, [some]);
  return (
    <div class={css.preview} aria-hidden="true">
      {some.map(({ id }, i) => (
        <span key={id}>{blobs[i] && <Local blob={blobs[i]} />}</span>
      ))}
    </div>
  );
}

function NoPictures({ found, onBack }: { found: Found; onBack: () => void }) {
  return (
    <>
      <Empty icon="image" title="No pictures in there" action={<Button onClick={onBack}>Choose others</Button>}>
        {found.others > 0 ? `${counted(found.others, "file")}, none of them JPEG, PNG, WebP, GIF, TIFF or BMP.` : "Nothing was found."}
      </Empty>
      {found.failures.length > 0 && <Failures failures={found.failures} />}
    </>
  );
}
