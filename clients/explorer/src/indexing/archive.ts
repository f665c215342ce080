// Zip archives, read a file at a time where it lies: nothing is unpacked as a whole.

/** A file in an archive. */
export interface Member {
  path: string;
  size: number;
  read: () => Promise<Blob>;
}

export type Archive = readonly Member[];

/** The files of an archive. Rejects with what is wrong with it. */
export async function openArchive(file: Blob): Promise<Archive> {
  // Only who drops an archive needs this.
  const { BlobReader, BlobWriter, configure, ZipReader } = await import("@zip.js/zip.js/lib/zip-core-custom.js");
  configure({ useWebWorkers: false }); // the browser inflates; this build has no WebAssembly, which the policy forbids
  const entries = await new ZipReader(new BlobReader(file)).getEntries();
  return entries.flatMap((entry) => {
    if (entry.directory) return [];
    const read = () => {
      if (entry.encrypted) throw new Error("It is encrypted: unpack the archive, and drop the folder.");
      return entry.getData(new BlobWriter(), { checkSignature: true });
    };
    return [{ path: entry.filename, size: entry.uncompressedSize, read: async () => read() }];
  });
}
