import { useState } from "preact/hooks";
import type { SearchResult } from "lookalike-client";

import { refusal } from "../state/access.ts";
import { collection, described } from "../state/service.ts";
import { Button } from "../ui/controls.tsx";
import { toast, toastError } from "../ui/feedback.tsx";

const FEWEST = 50; // images, that a calibration takes

/** Offers to find out what scores mean, where that is not known or no longer holds. */
export function CalibrationHint({
  calibration,
  onDone,
}: {
  calibration: NonNullable<SearchResult["calibration"]> | undefined;
  onDone: () => void;
}) {
  const [running, setRunning] = useState(false);
  if (calibration && !calibration.stale) return null;
  if ((described.value?.points ?? 0) < FEWEST) return null;
  const run = async () => {
    setRunning(true);
    try {
      const job = await collection.peek()!.calibrate();
      await job.wait();
      toast("Calibrated: hits now say what their scores mean.");
      onDone();
    } catch (error) {
      toastError(error);
    } finally {
      setRunning(false);
    }
  };
  return (
    <Button
      look="quiet"
      title="Compares this collection's images with each other, once, so that hits say how alike is alike. Takes seconds."
      refused={running ? "It is running." : refusal("write")}
      onClick={() => void run()}
    >
      {running ? "Calibrating …" : calibration ? "Scores are out of date: calibrate" : "What do the scores mean?"}
    </Button>
  );
}
