import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What a Debian has at its smallest, as far as a script may want it: bash, coreutils, grep, sed, mawk. */
const DEBIAN =
  'awk basename bash cat chmod cp cut date dirname env find grep head ls mkdir mktemp mv paste rm rmdir ' +
  'sed sh sha256sum sleep sort tail tee touch tr uniq wc xargs';

/** Alpine's busybox, which has no bash. */
const BUSYBOX = DEBIAN.replace(' bash', '');

/**
 * The images of the steps with the tools in them: those of this machine, and stand-ins. Google's
 * slim image has neither docker nor jq (github.com/GoogleCloudPlatform/cloud-sdk-docker), and none
 * but our own has `node_modules`.
 */
const IMAGES: Readonly<Record<string, { readonly tools: string; readonly standIns: string }>> = {
  'gcr.io/google.com/cloudsdktool/google-cloud-cli': {
    tools: `${DEBIAN} python3 curl git`,
    standIns: 'gcloud',
  },
  'gcr.io/cloud-builders/docker': { tools: DEBIAN, standIns: 'docker' },
  'hashicorp/terraform': { tools: `${BUSYBOX} git`, standIns: 'terraform' },
  node: { tools: `${DEBIAN} python3 curl git`, standIns: 'npm' },
};

const nameOf = (image: string): string => image.replace(/:[^/]*$/, '');
const folderOf = (image: string): string => nameOf(image).replace(/[^\w.]+/g, '-');

/** Makes a folder for each image below `folder`, which holds the stand-ins in `bin`. */
export function fillImages(folder: string): void {
  for (const [image, { tools, standIns }] of Object.entries(IMAGES)) {
    const bin = join(folder, 'images', folderOf(image));
    mkdirSync(bin, { recursive: true });
    for (const tool of tools.split(' ')) {
      const [found] = ['/usr/bin', '/bin'].map((place) => join(place, tool)).filter(existsSync);
      if (found !== undefined) symlinkSync(found, join(bin, tool));
    }
    for (const tool of standIns.split(' ')) symlinkSync(join(folder, 'bin', tool), join(bin, tool));
  }
}

/** The PATH in an image. */
export function pathOf(folder: string, image: string): string {
  if (!(nameOf(image) in IMAGES)) throw new Error(`what is in the image ${image}? See images.ts`);
  return join(folder, 'images', folderOf(image));
}
