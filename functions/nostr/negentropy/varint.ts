/** A 64-bit number in digits of seven bits. */
export const VARINT_BYTES_MAX = 10;

/** A whole number in base 128, most significant digit first, all but the last marked. */
export function varintBytes(value: number): Uint8Array {
  let length = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) length += 1;
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let at = length - 1; at >= 0; at -= 1) {
    bytes[at] = (rest % 128) + (at === length - 1 ? 0 : 128);
    rest = Math.floor(rest / 128);
  }
  return bytes;
}
