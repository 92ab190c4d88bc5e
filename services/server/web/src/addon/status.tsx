/** How an add-on is, in one word, and when that has to be asked anew. */
import { computed } from "@preact/signals";

import { known } from "../state/app";
import { Shape } from "../view/bits";
import type { AddonView } from "../openapi";

/** Number of the newest event about add-ons: when it turns, what is known of them is out of date. */
export const addonNews = computed(() => known.value.events.findLast((event) => event.type.startsWith("addon"))?.seq ?? 0);

/** The status word with its shape. Source of the words: spec V-24, V-46. */
export function Status({ addon }: { addon: Pick<AddonView, "status" | "enabled"> }) {
  if (!addon.enabled) return <span class="v is-inc"><i class="ring" />Disabled</span>;
  switch (addon.status) {
    case "online": return <span class="v is-pass"><Shape of="pass" />Online</span>;
    case "degraded": return <span class="v is-warn"><Shape of="warn" />Degraded</span>;
    default: return <span class="v is-inc"><i class="ring" />Offline</span>;
  }
}
