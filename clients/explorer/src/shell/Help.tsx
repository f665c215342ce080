import { scopes } from "../keys/registry.ts";
import { info } from "../state/service.ts";
import { Kbd } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import css from "./shell.module.css";

const SIGNS: Record<string, string> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
  " ": "Space",
};

/** What the keys do now, and what runs here. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" wide onClose={onClose}>
      <div class={css.keys}>
        {scopes.value.toReversed().map((scope) => (
          <section key={scope.title}>
            <h3>{scope.title}</h3>
            <dl>
              {scope.keys().map(({ keys, does }) => (
                <div key={keys}>
                  <dt>{does}</dt>
                  <dd>
                    {(keys === " " ? [keys] : keys.split(" ")).map((one) => (
                      <Kbd key={one}>{SIGNS[one] ?? one}</Kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      {info.value && (
        <p class="muted small">
          Lookalike {info.value.version} · {info.value.model} on {info.value.device} ({info.value.dtype}) · store:{" "}
          {info.value.store} · <a href="./openapi.json">all calls (OpenAPI)</a> ·{" "}
          <a href="./assets/licenses.txt">licences</a>
        </p>
      )}
    </Dialog>
  );
}
