import { randomUUID } from 'node:crypto';

/**
 * One name a process, the same in its logs and its metrics: Cloud Run tells a process no instance
 * id by its environment, and an instance may start its process again.
 */
export const PROCESS_NAME = randomUUID().slice(0, 8);
