/**
 * The series of a metric by a label's value, each asked for once and then kept, so that counting
 * an event builds no string. For labels whose values are few.
 */
export function byValue<V, S>(find: (value: V) => S): (value: V) => S {
  const kept = new Map<V, S>();
  return (value) => {
    let series = kept.get(value);
    if (series === undefined) {
      series = find(value);
      kept.set(value, series);
    }
    return series;
  };
}
