/** The bench without a drive, and what to do about that. */
import "../../style/empty.css";
import { known } from "../../state/app";

/** What stands in the place of the bays. */
export function Empty() {
  // An empty list from an agent that never spoke says nothing about drives.
  if (known.value.box?.agent.state !== "online") {
    return (
      <section class="chassis first">
        <h2>Waiting for the burn-in agent</h2>
        <p class="mute">It is the part of the box that sees the drives, and it has not told them yet. They show here as soon as it does.</p>
      </section>
    );
  }
  return (
    <section class="chassis first">
      <h2>No drive is plugged in</h2>
      <ol>
        <li><b>Plug one in.</b> SATA, SAS, NVMe or USB; it shows here within two seconds. Nothing is written to it.</li>
        <li><b>Choose it</b> and press “Burn in”. You read what is on it and type the last four of its serial.</li>
        <li><b>Give your password</b> within two minutes. Every sector is then written, read back and compared; you get PASSED, WARN, FAILED or INCONCLUSIVE with the evidence.</li>
      </ol>
    </section>
  );
}
