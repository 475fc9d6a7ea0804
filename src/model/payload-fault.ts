/**
 * A payload that a mapping does not take. Its message is shown to the sender, so it names what is
 * missing or wrong and holds no value of the payload. What a mapping throws otherwise is not shown.
 */
export class PayloadFault extends TypeError {}
