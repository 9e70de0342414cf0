import { http } from '@google-cloud/functions-framework';

/** A function that is as small as can be, for tests of how functions are run. */
http('stand-in', (_request, response) => {
  response.status(204).end();
});
