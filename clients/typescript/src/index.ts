export { Lookalike } from "./client.js";
export { Collection } from "./collection.js";
export * from "./errors.js";
export type { ImageInput } from "./images.js";
export { Job, type WaitOptions } from "./job.js";
export type { paths } from "./schema.js";
export * from "./service-errors.js";
export type { CallOptions, LookalikeOptions } from "./transport.js";
export type * from "./types.js";
