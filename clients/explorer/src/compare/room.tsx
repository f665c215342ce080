import { Empty } from "../ui/feedback.tsx";

/** The Compare room. */
export default function CompareRoom() {
  return <Empty icon="compare" title="Compare" />;
}
