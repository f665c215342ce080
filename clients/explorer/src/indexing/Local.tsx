import { useEffect, useState } from "preact/hooks";

/** A picture that is here already; nothing where the browser cannot show its format. */
export function Local({ blob, alt = "" }: { blob: Blob; alt?: string }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    const url = URL.createObjectURL(blob);
    setAddress(url);
    return () => URL.revokeObjectURL(url);
  }, [blob]);
  return address === undefined ? null : <img key={address} src={address} alt={alt} onError={() => setAddress(undefined)} />;
}
