/** What the API says where it refuses or fails, as its problem details have it. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: unknown = null,
    readonly correlation_id: string | null = null,
  ) {
    super(message);
  }
}

/** Return the error that an answer stands for. */
export async function errorOf(answer: Response): Promise<ApiError> {
  const correlation = answer.headers.get("X-Correlation-ID");
  let body: unknown = null;
  try {
    body = await answer.clone().json();
  } catch {
    // A proxy in between answers in its own way; the status says enough.
  }
  if (typeof body === "object" && body !== null && "message" in body && "code" in body) {
    const { code, message, details } = body as { code: string; message: string; details?: unknown };
    return new ApiError(answer.status, code, message, details ?? null, correlation);
  }
  return new ApiError(answer.status, "UNKNOWN", `the server answered with ${answer.status}`, null, correlation);
}
